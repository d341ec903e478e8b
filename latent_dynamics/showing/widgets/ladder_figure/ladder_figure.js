// The ladder's figure: every rung's curve or number, its spread over training seeds, and all values at one step.
// The model's traits are the only state: every control sets a trait, every trait change draws.

import { chooser, element, furnish, keepKeys, listen, oncePerFrame, onResize, setterOf, slider, statusLine, svgElement, widgetRoot } from "../../page/common.js";

const SIDES = { left: 46, right: 20, top: 40, bottom: 38 };
// The looks take turns, each as in the Python file: a mark is first filled, then hollow; colours and dashes have other turns.
const MARKS = [
  "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z", "M-1-1H1V1H-1Z", "M0-1.4L1.4 0 0 1.4-1.4 0Z", "M0-1.3L1.3 1H-1.3Z", "M0 1.3L1.3-1H-1.3Z",
  "M0-1.6L.5-.5 1.6-.4.8.3 1 1.4 0 .8-1 1.4-.8.3-1.6-.4-.5-.5Z", "M-.5-1.3H.5V-.5H1.3V.5H.5V1.3H-.5V.5H-1.3V-.5H-.5Z",
];
const COLOURS = 10; // in the style sheet
const DASHES = ["none", "9 4", "3 3", "10 4 2 4"];
const GREY_DASHES = ["1 3", "6 4", "9 3 1 3", "2 6", "13 4", "6 3 1 3 1 3"];

/** [median, least, most] in words: 3.41° (3.02–3.90); as in the Python file. */
function saySpread(metric, spread, unit = metric.unit) {
  const size = Math.max(...spread.map(Math.abs)); // null counts as 0
  const most = metric.whole ? (size < 1000 ? 1 : 0) : size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
  const digits = { minimumFractionDigits: metric.whole ? 0 : most, maximumFractionDigits: most };
  const [middle, low, high] = spread.map((value) => value?.toLocaleString("en", digits).replace("-", "\u2212") ?? metric.missing);
  const joint = spread.some((value) => value === null || value < 0) ? " to " : "\u2013";
  return middle + (spread[0] === null ? "" : unit) + (low === high ? "" : ` (${low}${joint}${high})`);
}

/** Where a value stands on the axis of these ticks, from pixel `from` to pixel `to`. */
function scaleFor(ticks, log, from, to) {
  const size = log ? (value) => Math.log(Math.max(value, ticks[0] / 10)) : Number;
  const [first, last] = [ticks[0], ticks.at(-1)].map(size);
  return (value) => from + ((size(value) - first) / (last - first)) * (to - from);
}

const tickWords = (value) => value.toLocaleString("en", { notation: "compact" }).replace("-", "\u2212");
const svgText = (x, y, words, anchor = "middle") => svgElement("text", { x, y, "text-anchor": anchor }, words);
const svgPath = (kind, d, more = {}) => svgElement("path", { class: kind, d, ...more });
const svgLine = (kind, x1, x2, y1, y2) => svgElement("line", { class: kind, x1, x2, y1, y2 });

/** How each rung and reference is drawn: its words, its class, its colour and dash; a rung also has a mark. */
const looksOf = (model) => Object.fromEntries([
  ...model.get("rungs").map(([name, words], i) => [name, {
    words, mark: MARKS[i % MARKS.length], kind: Math.floor(i / MARKS.length) % 2 ? "ld-rung ld-hollow" : "ld-rung",
    style: `--ld-own: var(--ld-rung-${i % COLOURS}); --ld-dash: ${DASHES[i % DASHES.length]}`,
  }]),
  ...model.get("references").map((name, i) => [name, {
    words: name, kind: "ld-rung ld-reference", style: `--ld-own: var(--ld-muted); --ld-dash: ${GREY_DASHES[i % GREY_DASHES.length]}`,
  }]),
]);

const markAt = (look, x, y, size = 4) => svgPath("ld-mark", look.mark ?? MARKS[0], { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})` });

/** The figure itself; `look` finds what it shows. */
function ladderPlot(looks, doubling, onstep) {
  const svg = svgElement("svg", { class: "ld-ladder-plot", role: "img" });
  const now = svgElement("g");
  let found, width, height, x, y;

  const group = (name, ...parts) => svgElement("g", { class: looks[name].kind, style: looks[name].style, "data-name": name }, ...parts);
  const clipped = (parts) => svgElement("svg", { class: "ld-clip", width, height: height - SIDES.bottom + 5 }, ...parts);
  const at = (heights, i) => `${x(i + 1).toFixed(1)} ${y(heights[i]).toFixed(1)}`;

  function layout(next) {
    found = next;
    width = Math.max(220, svg.parentElement?.clientWidth || width || 600);
    svg.replaceChildren(...(found.metric.curve ? curves() : rows()), now);
    furnish(svg, { width, height, viewBox: `0 0 ${width} ${height}`, "aria-label": `${found.metric.axis}; all of it is in the table below.` }, []);
  }

  function curves() {
    height = Math.max(300, Math.min(380, width * 0.6));
    const [left, right, bottom] = [SIDES.left, width - SIDES.right, height - SIDES.bottom];
    const scale = scaleFor(found.ticks, found.metric.log, bottom, SIDES.top);
    x = (n) => left + ((n - 1) / Math.max(1, found.horizon - 1)) * (right - left);
    y = (value) => (value !== null ? scale(value) : found.metric.low_is_good ? SIDES.top - 9 : bottom + 9);
    const below = found.names.toReversed(); // references first: rungs are drawn over them
    const each = (draw) => clipped(below.map((name) => group(name, ...draw(name, found.spreads[name]))));
    return [
      ...found.ticks.flatMap((tick) => [svgLine("ld-grid", left, right, y(tick), y(tick)), svgText(left - 7, y(tick) + 4, tickWords(tick), "end")]),
      ...(found.metric.unit === "\u00b0" ? [1, 2] : []).map((guide) => svgLine("ld-guide", left, right, y(guide), y(guide))),
      ...found.told.map((n) => svgText(x(n), bottom + 17, n)),
      svgText(right, height - 4, `steps dreamt${found.by}`, "end"),
      ...doublings(right),
      each((_, spread) => [svgPath("ld-band", band(spread))]),
      each((name, [middle]) => [...ends(name), svgPath("ld-line", line(middle)), ...marks(looks[name], middle)]),
    ];
  }

  const line = (heights) => heights.map((height, i) => (height === null ? "" : `${i && heights[i - 1] !== null ? "L" : "M"}${at(heights, i)}`)).join("");

  const ends = (name) => (found.intervals[name] ?? []).map((end) => svgPath("ld-end", line(end)));

  /** From least to most over all seeds; as far as the edge where one of them shows no pole. */
  function band([, low, high]) {
    const there = [...low.keys()].filter((i) => low[i] !== null || high[i] !== null);
    const points = [...there.map((i) => at(low, i)), ...there.reverse().map((i) => at(high, i))];
    return points.length ? `M${points.join("L")}Z` : "";
  }

  /** A rung's mark at the steps of the table, and a cross where half of its dreams have lost the pole. */
  function marks(look, middle) {
    const lost = middle.findIndex((value, i) => i && value === null && middle[i - 1] !== null);
    const marked = look.mark ? found.told.filter((n) => middle[n - 1] !== null) : [];
    const cross = lost > 0 ? svgPath("ld-lost", "M-5-5L5 5M-5 5L5-5", { transform: `translate(${at(middle, lost - 1)})` }) : "";
    return [...marked.map((n) => markAt(look, x(n), y(middle[n - 1]))), cross];
  }

  /** A second scale along the top: how often physics has doubled an error by then. */
  function doublings(right) {
    const times = Array.from({ length: found.horizon / doubling }, (_, i) => [i + 1, x((i + 1) * doubling)]);
    return [svgText(right, 12, "doubling times", "end"), ...times.flatMap(([k, across]) => [
      svgLine("ld-tick", across, across, SIDES.top - 12, SIDES.top - 6), svgText(across, SIDES.top - 14, k)])];
  }

  /** A row for each rung: a mark for each seed, a bar at their median; beyond the axis, what never happened. */
  function rows() {
    const column = 20 + 6.6 * Math.max(0, ...found.names.map((name) => looks[name].words.length));
    const beside = column < 0.35 * width; // else a name stands above its row
    const inSteps = found.key.startsWith("steps_");
    const [left, right, top] = [beside ? column : 12, width - (inSteps ? 74 : 24), inSteps ? SIDES.top : 8];
    const apart = beside ? 28 : 40;
    const bottom = top + apart * found.names.length;
    height = bottom + SIDES.bottom;
    const scale = scaleFor(found.ticks, found.metric.log, left, right);
    x = (value) => (value === null ? width - 30 : scale(value));
    return [
      ...[...found.ticks, ...(inSteps ? [null] : [])].flatMap((tick) => [
        svgLine("ld-grid", x(tick), x(tick), top, bottom), svgText(x(tick), bottom + 17, tick === null ? found.metric.missing : tickWords(tick))]),
      ...(inSteps ? doublings(right) : []),
      ...found.names.map((name, i) => {
        const down = top + apart * (i + (beside ? 0.5 : 0.68));
        const middle = x(found.spreads[name][0]);
        return group(name, svgLine("ld-grid", left, right, down, down),
          svgText(beside ? left - 12 : 4, down + (beside ? 4 : -12), looks[name].words, beside ? "end" : "start"),
          ...intervalOf(name, down + 11),
          ...found.dots[name].map((value) => markAt(looks[name], x(value), down)), svgLine("ld-middle", middle, middle, down - 9, down + 9));
      })];
  }

  /** The interval over episodes, below a row's marks. */
  function intervalOf(name, down) {
    if (!found.intervals[name]) return [];
    const [low, high] = found.intervals[name].map(x);
    return [svgPath("ld-end", `M${low} ${down - 3}V${down}H${high}V${down - 3}`)];
  }

  /** Marks the step: a line, and for every rung shown its range and median. */
  function moveTo(step) {
    if (!found.metric.curve) return now.replaceChildren();
    const parts = found.names.map((name) => {
      const [middle, low, high] = found.spreads[name].map((heights) => heights[step - 1]);
      return middle === null || !looks[name].mark ? "" : group(name, svgLine("ld-range", x(step), x(step), y(low), y(high)), markAt(looks[name], x(step), y(middle), 5.5));
    });
    now.replaceChildren(svgLine("ld-cursor", x(step), x(step), SIDES.top - 6, height - SIDES.bottom), clipped(parts));
  }

  const scrub = ({ clientX }) => {
    const step = 1 + Math.round((clientX - svg.getBoundingClientRect().x - x(1)) / (x(2) - x(1)));
    if (found.metric.curve) onstep(Math.max(1, Math.min(found.horizon, step)));
  };
  furnish(svg, { onpointerdown: scrub, onpointermove: scrub }, []);
  return { node: svg, layout, moveTo };
}

/** Legend and read-out in one: for each rung a box to tick, its line, its name and its value. */
function ladderLegend(model, looks, set) {
  const lines = Object.entries(looks).map(([name, look]) => {
    const value = element("span", { class: "ld-chip-value" });
    const sample = svgElement("svg", { viewBox: "0 0 34 14", class: look.kind, style: look.style, "aria-hidden": "true" },
      svgPath("ld-line", "M1 7H33"), look.mark ? markAt(look, 17, 7) : "");
    const others = () => model.get("shown").filter((other) => other !== name);
    const input = look.mark ? element("input", { type: "checkbox", onchange: () => set({ shown: input.checked ? [...others(), name] : others() }) }) : "";
    const node = element(input ? "label" : "div", { class: "ld-chip", "data-name": name }, input, sample, element("span", {}, look.words), value);
    return { name, node, input, value };
  });
  const all = (words, shown) => element("button", { type: "button", class: "ld-button ld-words", onclick: () => set({ shown }) }, words);
  const node = element("fieldset", { class: "ld-legend" },
    element("legend", {}, "Median over training seeds, least to most in brackets.", element("span", {}, " \u00d7 From here on, half of the dreams cannot be read."),
      element("span", { class: "ld-end-words" }, " Thin: the median seed\u2019s 95 % interval over episodes.")),
    element("div", { class: "ld-controls" }, all("All", model.get("rungs").map(([name]) => name)), all("None", [])),
    element("div", { class: "ld-chips" }, ...lines.map((line) => line.node)));
  const show = ({ say }) => {
    for (const { name, input, value } of lines) {
      if (input) input.checked = model.get("shown").includes(name);
      value.textContent = say(name);
    }
  };
  return { node, show };
}

let figures = 0; // two figures in a page must not share radio buttons

/** A few buttons of which one is pressed: [value, words] each. */
function switchOf(title, choices, onchoose) {
  const group = `ld-switch-${++figures}`;
  const inputs = choices.map(([name]) => element("input", { type: "radio", name: group, value: name, onchange: () => onchoose(name) }));
  const labels = choices.map(([, words], i) => element("label", {}, inputs[i], words));
  const node = element("fieldset", { class: "ld-segment" }, element("legend", { class: "ld-slider-name" }, title), ...labels);
  const show = (chosen, matters) => {
    node.disabled = !matters;
    for (const input of inputs) input.checked = input.value === chosen;
  };
  return { node, show };
}

/** The same in numbers, for readers without a pointer. */
function ladderTable(looks, { metric, spreads, names, told, by }) {
  const heads = metric.curve ? told.map((n) => `step ${n}`) : ["median", "least", "most"];
  const cells = (name) => (metric.curve ? told.map((n) => spreads[name].map((heights) => heights[n - 1]))
    : spreads[name].map((value) => [value, value, value]));
  const row = (name) => element("tr", {}, element("th", { scope: "row" }, looks[name].words),
    ...cells(name).map((spread) => element("td", {}, saySpread(metric, spread, ""))));
  return element("table", {}, element("caption", {}, metric.axis + by),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "rung"), ...heads.map((words) => element("th", { scope: "col" }, words)))),
    element("tbody", {}, ...names.map(row)));
}

/** The best rung, the worst, and the first reference beside them, in words. */
function ladderInWords(model, looks, { metric, horizon, by, here, spreadOf, say }) {
  const sign = metric.low_is_good ? 1 : -1;
  const rank = (name) => sign * (spreadOf(name)[0] ?? (metric.curve ? sign : 1) * 1e9);
  const about = (name) => `${looks[name].words}, ${say(name)}`;
  const rungs = model.get("shown").filter(spreadOf).sort((a, b) => rank(a) - rank(b));
  const reference = model.get("references").find(spreadOf);
  const where = metric.curve ? `Step ${here} of ${horizon}${by}: ${(here / model.get("doubling")).toFixed(1)} doubling times.` : `${metric.label}${by}.`;
  const ends = rungs.length > 1 ? metric.ends.map((end, i) => `${end}: ${about(rungs.at(-i))}`) : rungs.map(about);
  const told = `${ends.join("; ") || "No rung to show"}.`;
  return `${where} ${told}${reference ? ` Beside them: ${about(reference)}.` : ""}`;
}

async function render({ model, el }) {
  const looks = looksOf(model);
  const set = setterOf(model);
  const [metrics, protocols] = [model.get("metrics"), model.get("protocols")];
  const onstep = (step) => { if (step !== model.get("step")) set({ step }); };

  const metric = chooser("Metric", metrics.map(([, { label }]) => label), (i) => set({ metric: metrics[i][0] }));
  const protocol = switchOf("Actions", protocols, (name) => set({ protocol: name }));
  const readers = model.get("readers");
  const reader = switchOf("Read", readers.map((name) => [name, name]), (name) => set({ reader: name }));
  const plot = ladderPlot(looks, model.get("doubling"), onstep);
  const legend = ladderLegend(model, looks, set);
  const step = slider("Step", onstep);
  const steps = element("div", { class: "ld-controls" });
  const [head, tag] = [element("strong"), element("span")];
  const box = element("div", {}, plot.node);
  const line = statusLine();
  const numbers = element("div", { class: "ld-numbers", role: "region", tabindex: 0, "aria-label": "The figure in numbers" });
  const folded = element("details", {}, element("summary", {}, "The figure in numbers"), numbers);
  const root = widgetRoot(model, "ld-ladder", "The ladder.");
  const left = element("div", {}, element("p", { class: "ld-ladder-head" }, head, tag), box, steps, ...line.nodes);
  root.append(element("div", { class: "ld-controls ld-ladder-choice" }, metric.node, protocol.node, ...(readers.length > 1 ? [reader.node] : [])),
    element("div", { class: "ld-ladder-body" }, left, legend.node), folded);
  el.replaceChildren(root);
  folded.open = !(root.clientWidth < 520);
  keepKeys(root);

  let found;
  let hot = ""; // the rung under the pointer, or with the focus, stands out: the others fade
  function warm() {
    tag.textContent = hot && ` ${looks[hot].words}: ${found.say(hot)}`;
    root.classList.toggle("ld-has-hot", Boolean(hot));
    for (const node of root.querySelectorAll("[data-name]")) node.classList.toggle("ld-hot", node.dataset.name === hot);
  }
  for (const event of ["pointerover", "pointerleave", "focusin", "focusout"]) {
    root.addEventListener(event, ({ target, type }) => { hot = (type !== "focusout" && target.closest("[data-name]")?.dataset.name) || ""; warm(); });
  }

  function look() {
    const [key, name, shown, eyes] = ["metric", "protocol", "shown", "reader"].map((trait) => model.get(trait));
    const [spreads, dots, intervals] = ["values", "dots", "intervals"].map((trait) => model.get(trait)[eyes][name][key] ?? {});
    const ticks = model.get("axes")[name][key];
    const metric = metrics.find(([one]) => one === key)[1];
    const [, words, horizon, told] = protocols.find(([one]) => one === name);
    const here = Math.min(model.get("step"), horizon);
    const spreadOf = (one) => (metric.curve ? spreads[one]?.map((heights) => heights[here - 1]) : spreads[one]);
    found = {
      key, metric, spreads, dots, intervals, ticks, horizon, told, here, spreadOf,
      say: (one) => (spreads[one] ? saySpread(metric, spreadOf(one)) : "\u2013"),
      by: metric.judged_by ? `, ${[words, ...(eyes ? [eyes] : [])].join(", ")}` : "",
      names: Object.keys(looks).filter((one) => spreads[one] && (!looks[one].mark || shown.includes(one))),
    };
  }

  function drawStep() {
    look();
    const { here, horizon } = found;
    plot.moveTo(here);
    warm();
    legend.show(found);
    step.show(here, horizon, `${here} of ${horizon}`);
    line.say(ladderInWords(model, looks, found), true);
  }
  function drawAll() {
    look();
    plot.layout(found);
    metric.show(metrics.findIndex(([key]) => key === found.key));
    protocol.show(model.get("protocol"), found.metric.judged_by);
    reader.show(model.get("reader"), found.metric.judged_by);
    if (found.metric.curve !== steps.contains(step.node)) steps.replaceChildren(...(found.metric.curve ? [step.node] : []));
    head.textContent = found.metric.axis;
    numbers.replaceChildren(ladderTable(looks, found));
    drawStep();
  }

  drawAll();
  const [askStep, askAll] = [oncePerFrame(drawStep), oncePerFrame(drawAll)];
  const deafen = listen(model, [["change:step", askStep], ...["metric", "protocol", "shown", "reader"].map((name) => [`change:${name}`, askAll])]);
  const unsize = onResize(box, askAll);

  return () => {
    deafen();
    line.stop();
    askStep.cancel();
    askAll.cancel();
    unsize();
  };
}

export default { render };
