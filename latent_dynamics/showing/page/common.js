// What every widget of the book shares: nodes, buttons, sliders, lists, clocks, keys, colours, sentences.

const SVG = "http://www.w3.org/2000/svg";

/** element("p", { class: "ld-title" }, "text"): a node, its attributes, its listeners, its children. */
export function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

export function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.replace(/^on/, ""), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M18 5v14L8 12zM6 5h2v14H6z",
  forward: "M6 5v14l10-7zM16 5h2v14h-2z",
  first: "M19 5v14l-7-7zM12 5v14l-7-7zM3 5h2v14H3z",
  left: "M14 5v14L4 12zM14 9h6v6h-6z",
  right: "M10 5v14l10-7zM4 9h6v6H4z",
  again: "M12 5a7 7 0 1 1-6.7 5h2.2A5 5 0 1 0 12 7v3L7 6l5-4z",
};

/** The box of a whole widget, with its title, which is also its name: `kind` is its class. */
export function widgetRoot(model, kind, name, attributes = {}) {
  const root = element("div", { class: `ld ${kind}`, role: "group", "aria-label": `${name} ${model.get("title")}`, ...attributes });
  if (model.get("title")) root.append(element("p", { class: "ld-title" }, model.get("title")));
  return root;
}

/** A function that sets traits, { name: value }, and lets Python know. */
export const setterOf = (model) => (traits) => {
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
  model.save_changes();
};

/** What all views of a widget share, by its key: made by `start(view, session)` for the first view, until it is closed. */
export function sessionsOf(start) {
  const sessions = new Map();
  const open = (model) => {
    const key = model.get("key");
    if (!sessions.has(key)) sessions.set(key, { views: new Set(), ready: null });
    const session = sessions.get(key);
    session.ready ??= start(model, session);
    return session;
  };
  return { open, close: (model) => sessions.delete(model.get("key")) };
}

/** Listens to a model: [event, act] each. Returns what ends it. */
export function listen(model, listeners) {
  for (const [event, act] of listeners) model.on(event, act);
  return () => { for (const [event, act] of listeners) model.off(event, act); };
}

/** A button with a drawn icon; `rename` changes icon and name together (play <-> pause). */
export function iconButton(icon, name, onclick) {
  const path = svgElement("path", { d: ICONS[icon] });
  const drawing = svgElement("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
  const node = element("button", { type: "button", class: "ld-button", onclick }, drawing);
  const rename = (newIcon, newName) => {
    path.setAttribute("d", ICONS[newIcon]);
    node.setAttribute("aria-label", newName);
    node.title = newName;
  };
  rename(icon, name);
  return { node, rename };
}

/** A named range input that shows its value; `show` moves it without calling `onmove`. */
export function slider(name, onmove) {
  const input = element("input", {
    type: "range", min: 1, step: 1, "aria-label": name, oninput: () => onmove(Number(input.value)),
  });
  const value = element("span", { class: "ld-slider-value", "aria-hidden": "true" });
  const title = element("span", { class: "ld-slider-name", "aria-hidden": "true" }, name);
  const show = (number, maximum, text) => {
    if (value.textContent === text && Number(input.value) === number && Number(input.max) === maximum) return;
    input.max = maximum;
    input.value = number;
    input.setAttribute("aria-valuetext", text);
    value.textContent = text;
  };
  return { node: element("div", { class: "ld-slider" }, title, input, value), show };
}

/** A named drop-down list; `onchoose` gets the number of the line chosen. */
export function chooser(name, lines, onchoose) {
  const select = element(
    "select", { class: "ld-select", "aria-label": name, onchange: () => onchoose(select.selectedIndex) },
    ...lines.map((line) => element("option", {}, line)),
  );
  const title = element("span", { class: "ld-slider-name", "aria-hidden": "true" }, name);
  return { node: element("div", { class: "ld-chooser" }, title, select), show: (index) => { select.selectedIndex = index; } };
}

/** Writes a node's text where it is another: what stays the same need not be laid out again. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Calls `draw(what)` only where `name` is another than the last time: for what seldom changes. */
export function onceFor(draw) {
  let last;
  return (what, name) => { if (name !== last) draw(what); last = name; };
}

/** Calls `draw` at most once a displayed frame, however often it is asked to. */
export function oncePerFrame(draw) {
  let asked = 0;
  const ask = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };
  ask.cancel = () => cancelAnimationFrame(asked);
  return ask;
}

/** Calls `tick` `rate()` times a second from `start` to `stop`; stops with the page's own clock when hidden. */
export function metronome(rate, tick) {
  let request = 0;
  let due = 0;
  const beat = (now) => {
    request = requestAnimationFrame(beat);
    if (now < due) return;
    due = now + 1000 / rate() - 4; // a display frame never comes exactly on time
    tick();
  };
  return {
    start: () => { if (!request) { due = performance.now() + 1000 / rate(); request = requestAnimationFrame(beat); } },
    stop: () => { cancelAnimationFrame(request); request = 0; },
  };
}

/** Calls `change` when a node's size changes; returns what ends it. */
export function onResize(node, change) {
  const observer = new ResizeObserver(change);
  observer.observe(node);
  return () => observer.disconnect();
}

/** JupyterLab moves between cells on arrow keys: keep plain keys inside the widget, leave shortcuts alone. */
export function keepKeys(root, onkey = (_event) => {}) {
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    onkey(event);
  });
}

/** The keys of a player with the focus: space plays and pauses, `moves` says how far each other key goes. */
export function playerKeys(root, model, set, go, moves) {
  keepKeys(root, (event) => {
    if (event.target !== root) return; // sliders, buttons and lists have keys of their own
    if (event.key === " ") set({ playing: !model.get("playing") });
    else if (event.key in moves) go(model.get("step") + moves[event.key]);
    else return;
    event.preventDefault();
  });
}

/** A PNG or a WebP from a binary trait, as a canvas that can be read. */
export async function readImage(bytes) {
  const webp = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8) === 0x57454250; // "WEBP"
  const blob = new Blob([bytes], { type: webp ? "image/webp" : "image/png" });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const context = element("canvas", { width: bitmap.width, height: bitmap.height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context;
}

/** Decodes a greyscale picture from a binary trait: { grey: Uint8Array, width, height }. */
export async function greySheet(bytes) {
  const context = await readImage(bytes);
  const { width, height } = context.canvas;
  const rgba = context.getImageData(0, 0, width, height).data;
  return { grey: Uint8Array.from({ length: width * height }, (_, i) => rgba[4 * i]), width, height };
}

/** A binary trait as float32 numbers, wherever in its buffer the view starts. */
export function floats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** A CSS variable of the widget as [red, green, blue], for canvases, which do not inherit colours. */
export function cssColour(node, variable) {
  const hex = getComputedStyle(node).getPropertyValue(variable).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** Calls `change` when the page goes from light to dark or back; returns what stops it. */
export function onThemeChange(change) {
  const observer = new MutationObserver(change);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", change);
  return () => { observer.disconnect(); media.removeEventListener("change", change); };
}

/** What a step says: one line to see, always up to date, and one to hear, politely: while things move, once a second. */
export function statusLine() {
  const seen = element("p", { class: "ld-say", "aria-hidden": "true" });
  const heard = element("p", { class: "ld-heard", "aria-live": "polite" });
  let last = -Infinity;
  let waiting = 0;
  const say = (text, moving) => {
    seen.textContent = text;
    clearTimeout(waiting);
    const speak = () => { last = performance.now(); heard.textContent = text; };
    const wait = moving && heard.textContent ? last + 1000 - performance.now() : 0;
    if (wait > 0) waiting = setTimeout(speak, wait);
    else speak();
  };
  return { nodes: [seen, heard], say, stop: () => clearTimeout(waiting) };
}

/** A sentence that waits, after the first, until the reader's hand rests: a screen reader would fall behind. */
export function restingSentence() {
  const node = element("p", { class: "ld-say", "aria-live": "polite" });
  let waiting = 0;
  const say = (words) => {
    clearTimeout(waiting);
    if (node.textContent) waiting = setTimeout(() => { node.textContent = words(); }, 300);
    else node.textContent = words();
  };
  return { node, say, stop: () => clearTimeout(waiting) };
}
