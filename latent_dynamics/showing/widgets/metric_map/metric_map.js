// Every model a dot over two axes that the reader chooses; and a metric that the reader composes, scored on models held out.

import { chooser, element, keepKeys, listen, oncePerFrame, onResize, restingSentence, setterOf, svgElement, widgetRoot } from "../../page/common.js";

const COMPOSED = "composed";
const LOST = 1e9;
const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [320, 50, 14, 12, 24];
const GUTTER = 16; // pixels for dots of which nothing could be read
const MARKS = [
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M-3.6 -3.6h7.2v7.2h-7.2z", "M0 -5L5 0L0 5L-5 0z", "M0 -4.6L4.6 3.6H-4.6z",
  "M0 4.6L4.6 -3.6H-4.6z", "M0 -5L1.4 -1.4L5 0L1.4 1.4L0 5L-1.4 1.4L-5 0L-1.4 -1.4z", "M-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
];

/** Ranks from 0, the worst, to 1; equal values share the mean of theirs. */
function ranked(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = Array(values.length);
  for (let first = 0; first < order.length;) {
    let last = first;
    while (last + 1 < order.length && values[order[last + 1]] === values[order[first]]) last += 1;
    for (let i = first; i <= last; i += 1) ranks[order[i]] = (first + last) / 2 / Math.max(1, order.length - 1);
    first = last + 1;
  }
  return ranks;
}

/** Spearman's rank correlation over the models of `rows` that have both; NaN where nothing changes. */
function spearman(one, other, rows) {
  const kept = rows.filter((row) => Number.isFinite(one[row]) && Number.isFinite(other[row]));
  const [a, b] = [one, other].map((values) => ranked(kept.map((row) => values[row])));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [atA, atB] = [mean(a), mean(b)];
  const spread = (values, at) => values.reduce((sum, value) => sum + (value - at) ** 2, 0);
  return a.reduce((sum, value, i) => sum + (value - atA) * (b[i] - atB), 0) / Math.sqrt(spread(a, atA) * spread(b, atB));
}

/** What the widget knows of a column: its words, and its numbers so turned that more is better, NaN where it has none. */
function columnsOf(model) {
  const columns = {};
  const all = model.get("columns");
  for (const [i, [name, words, sign]] of all.entries()) {
    const raw = model.get("values")[name];
    const linear = i >= all.length - model.get("ways");
    columns[name] = { name, words, sign, linear, raw, good: raw.map((value) => (value === null ? NaN : sign * value)) };
  }
  return columns;
}

/** The mean rank of the metrics that are picked: a column like the others, or null where none is. */
function composition(columns, picks) {
  const parts = picks.filter(Boolean).map((name) => ranked(columns[name].good.map((value) => (Number.isNaN(value) ? -Infinity : value))));
  if (!parts.length) return null;
  const good = parts[0].map((_, row) => parts.reduce((sum, part) => sum + part[row], 0) / parts.length);
  return { name: COMPOSED, words: "your metric, mean rank", sign: 1, linear: true, raw: good, good };
}

/** A scale for a column: { at(value) from 0 to 1, better upwards, or null at a loss; ticks: [[value, words], ...] }. */
function scaleOf({ raw, sign, linear }) {
  const known = raw.filter((value) => value !== null && value < LOST);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const log = !linear && low > 0 && high > 8 * low;
  const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const at = (value) => {
    if (value === null || value >= LOST) return null;
    const share = ((log ? Math.log10(value) : value) - from) / (to - from || 1);
    return sign > 0 ? share : 1 - share;
  };
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((s) => (high - low) / s <= 5) ?? 5000;
  const even = Array.from({ length: 7 }, (_, i) => (Math.ceil(low / step) + i) * step);
  const powers = Array.from({ length: 15 }, (_, i) => (high > 100 * low ? [1] : [1, 2, 5]).map((m) => m * 10 ** (i - 8))).flat();
  const ticks = (log ? powers : even).filter((value) => value >= low && value <= high * (1 + 1e-9));
  return { at, ticks: ticks.map((value) => [value, String(Number(value.toPrecision(3))).replace("-", "−")]) };
}

const told = (rho) => (Number.isFinite(rho) ? rho.toFixed(2).replace("-", "−") : "–");

/** The dots, their axes, and the line that joins those of the training that is marked. */
function drawDots(svg, width, { across, up, looks, training, half, marked, describe }) {
  const [x, y] = [scaleOf(across), scaleOf(up)];
  const placeX = (share) => (share === null ? LEFT + GUTTER / 2 : LEFT + GUTTER + share * (width - LEFT - GUTTER - RIGHT));
  const placeY = (share) => (share === null ? HEIGHT - BOTTOM - 4 : HEIGHT - BOTTOM - 8 - share * (HEIGHT - BOTTOM - TOP - 8));
  const dots = training.map((_, row) => [placeX(x.at(across.raw[row])), placeY(y.at(up.raw[row]))]);
  const shown = training.map((_, row) => row).filter((row) => across.raw[row] !== null && up.raw[row] !== null);
  const text = (words, attributes) => svgElement("text", attributes, words);
  const joined = shown.filter((row) => training[row] === marked);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  svg.replaceChildren(
    ...y.ticks.map(([value]) => svgElement("path", { class: "ld-map-grid", d: `M${LEFT} ${placeY(y.at(value))}H${width - RIGHT}` })),
    ...y.ticks.map(([value, words]) => text(words, { x: LEFT - 6, y: placeY(y.at(value)) + 4, "text-anchor": "end" })),
    ...x.ticks.map(([value, words]) => text(words, { x: placeX(x.at(value)), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" })),
    svgElement("path", { class: "ld-map-path", d: joined.map((row, i) => `${i ? "L" : "M"}${dots[row].map((one) => one.toFixed(1)).join(" ")}`).join("") }),
    ...shown.map((row) => svgElement("path", {
      class: `ld-map-dot ld-map-ink-${looks[row] % 3} ${half[row] ? "ld-map-held" : ""} ${training[row] === marked ? "ld-map-marked" : ""}`,
      d: MARKS[looks[row]], transform: `translate(${dots[row].map((one) => one.toFixed(1)).join(" ")})`, "data-row": row,
    }, svgElement("title", {}, describe(row)))),
  );
}

function render({ model, el }) {
  const set = setterOf(model);
  const columns = columnsOf(model);
  const names = Object.keys(columns);
  const metrics = names.slice(0, -model.get("ways"));
  const [training, half, family] = ["training", "half", "family"].map((trait) => model.get(trait));
  const families = [...new Set(family)];
  const looks = family.map((one) => families.indexOf(one));
  const runs = [...new Set(training)];
  const rows = training.map((_, row) => row);
  const axes = [...metrics, COMPOSED];
  const wordsOf = (name) => (name === COMPOSED ? "your own metric, from below" : columns[name].words);

  const root = widgetRoot(model, "ld-metric-map", "Which metric predicts control:");
  const svg = svgElement("svg", { role: "img" });
  const across = chooser("Across", axes.map(wordsOf), (i) => set({ across: axes[i] }));
  const up = chooser("Up", names.map(wordsOf).reverse(), (i) => set({ up: names.at(-1 - i) }));
  const mark = chooser("Training", ["none is marked", ...runs], (i) => set({ marked: i ? runs[i - 1] : "" }));
  const picks = model.get("picks").map((_, n) => chooser(`Part ${n + 1}`, ["nothing", ...metrics.map(wordsOf)], (i) => {
    set({ picks: model.get("picks").map((one, m) => (m === n ? (i ? metrics[i - 1] : "") : one)), across: COMPOSED });
  }));
  const below = element("p", { class: "ld-map-below" });
  const sentence = restingSentence();
  const scores = element("div", { class: "ld-map-scores" });
  const legend = element("p", { class: "ld-map-legend" }, ...families.map((name, i) => element("span", {},
    svgElement("svg", { viewBox: "-6 -6 12 12", "aria-hidden": "true" }, svgElement("path", { class: `ld-map-dot ld-map-ink-${i % 3}`, d: MARKS[i] })), name)),
  element("span", {}, "hollow: held out"));
  root.append(
    element("div", { class: "ld-controls ld-map-axes" }, up.node, across.node), svg, below, legend,
    element("div", { class: "ld-controls ld-map-axes" }, mark.node), sentence.node,
    element("p", { class: "ld-map-head" }, "Compose a metric: the mean of its parts’ ranks"),
    element("div", { class: "ld-controls ld-map-picks" }, ...picks.map((pick) => pick.node)), scores,
  );

  const own = () => composition(columns, model.get("picks"));
  const axis = (name) => (name === COMPOSED ? own() ?? columns[metrics[0]] : columns[name]);
  const scored = (one, other) => ({
    all: spearman(one.good, other.good, rows),
    ...Object.fromEntries([0, 1].map((which) => [which, spearman(one.good, other.good, rows.filter((row) => half[row] === which))])),
    within: (() => {
      const each = runs.map((run) => spearman(one.good, other.good, rows.filter((row) => training[row] === run))).filter(Number.isFinite);
      return each.reduce((sum, rho) => sum + rho, 0) / each.length;
    })(),
  });
  const describe = (row) => `${training[row]}: ${[axis(model.get("across")), axis(model.get("up"))].map(({ words, raw }) => `${words} ${raw[row] >= LOST ? "no pole" : Number(raw[row].toPrecision(3))}`).join("; ")}`;
  const draw = oncePerFrame(() => {
    const width = svg.clientWidth;
    if (width) drawDots(svg, width, { across: axis(model.get("across")), up: axis(model.get("up")), looks, training, half, marked: model.get("marked"), describe });
  });
  const update = () => {
    across.show(axes.indexOf(model.get("across")));
    up.show(names.length - 1 - names.indexOf(model.get("up")));
    mark.show(runs.indexOf(model.get("marked")) + 1);
    picks.forEach((pick, n) => pick.show(metrics.indexOf(model.get("picks")[n]) + 1));
    const [one, other, mine] = [axis(model.get("across")), axis(model.get("up")), own()];
    const found = scored(one, other);
    const known = rows.filter((row) => one.raw[row] !== null && other.raw[row] !== null).length;
    below.textContent = `Across: ${one.words}; better is to the right, and above.`;
    svg.setAttribute("aria-label", `${known} models: ${other.words} against ${one.words}`);
    sentence.say(() => `${one.words} against ${other.words}, ${known} models: rank correlation ${told(found.all)}; within single trainings ${told(found.within)} in the mean.`);
    const line = (words, numbers) => element("tr", {}, element("th", { scope: "row" }, words), ...numbers.map((rho) => element("td", {}, told(rho))));
    const heads = ["rank correlation with “up”", "half composed on", "half held out", "within trainings"].map((words) => element("th", { scope: "col" }, words));
    const all = [one, ...(mine && one.name !== COMPOSED ? [mine] : [])].map((column) => [column.words, scored(column, other)]);
    scores.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...all.map(([words, rho]) => line(words, [rho[0], rho[1], rho.within])))));
    draw();
  };
  svg.addEventListener("click", ({ target }) => {
    const row = target.closest("[data-row]")?.dataset.row;
    if (row !== undefined) set({ marked: training[row] === model.get("marked") ? "" : training[row] });
  });
  const ends = [
    listen(model, ["across", "up", "picks", "marked"].map((name) => [`change:${name}`, update])),
    onResize(root, draw), draw.cancel, sentence.stop,
  ];
  keepKeys(root);
  el.append(root);
  update();
  return () => ends.forEach((end) => end());
}

export default { render };
