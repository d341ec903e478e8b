// Makes anywidgets live in a built page, without a kernel, a server or a library.
//
// myst-nb leaves two kinds of script tags in a page: one with the state of every widget model, and one
// in each place where a widget was displayed, naming its model. Where ipywidgets would load 4 MB of
// html-manager from a CDN, this file imports each model's own JavaScript from its state and renders it.
// It works over http and from file://, where fetch and import of neighbouring files do not.

const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

/** A stand-in for the model that Jupyter would hand to `render`: traits, their listeners, and the way to other models. */
function makeModel(traits, widget_manager) {
  const listeners = {};
  const tell = (event, ...values) => (listeners[event] ?? []).slice().forEach((act) => act(...values));
  return {
    widget_manager,
    comm_live: false, // there is no kernel
    get: (name) => traits[name],
    set(name, value) {
      if (Object.is(traits[name], value)) return;
      traits[name] = value;
      tell(`change:${name}`, this, value);
      tell("change", this);
    },
    on: (event, act) => (listeners[event] ??= []).push(act),
    off: (event, act) => { listeners[event] = act ? (listeners[event] ?? []).filter((other) => other !== act) : []; },
    save_changes() {}, // nobody to tell: the page is all there is
    send() {},
  };
}

/** Puts the base64 buffers back where they were taken from the state, as the DataViews that Jupyter gives. */
function restoreBuffers(state, buffers = []) {
  for (const { path, data } of buffers) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const holder = path.slice(0, -1).reduce((part, key) => part[key], state);
    holder[path.at(-1)] = new DataView(bytes.buffer);
  }
  return state;
}

const modules = new Map(); // by source: ten widgets of a kind share one import and one stylesheet

function importSource(source) {
  if (!modules.has(source)) {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    modules.set(source, import(address).then((module) => module.default ?? module));
  }
  return modules.get(source);
}

function addStyle(css) {
  if (!css || modules.has(css)) return;
  modules.set(css, true);
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
}

/** A sentence where the widget would be, and the still picture that otherwise waits for pages without JavaScript. */
function apologise(place, sentence) {
  const note = Object.assign(document.createElement("p"), { className: "ld-note", textContent: sentence });
  note.setAttribute("role", "note");
  place.replaceChildren(note);
  const stills = place.closest(".cell_output")?.querySelectorAll("noscript") ?? [];
  const still = [...stills].find((node) => place.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING);
  if (still) place.insertAdjacentHTML("beforeend", still.textContent);
}

const scripts = new Map(); // by address: weights that several pages share stand in files beside the pages

/** Runs a script of the book, once; unlike fetch this works from file:// as well. */
function runScript(address) {
  if (!scripts.has(address)) {
    scripts.set(address, new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: address, onload: resolve });
      script.onerror = () => reject(new Error("its trained weights did not arrive"));
      document.head.append(script);
    }));
  }
  return scripts.get(address);
}

/** The model of a name: its traits, with buffers that were put aside brought back. */
async function findModel(models, id) {
  const entry = models[id];
  if (!entry) throw new Error("its data is not in this page");
  for (const buffer of entry.buffers ?? []) {
    if (!buffer.aside) continue;
    await runScript(new URL(buffer.aside, document.baseURI).href);
    buffer.data = globalThis.latentDynamicsWeights?.[buffer.key];
    if (!buffer.data) throw new Error("its trained weights are damaged");
  }
  entry.model ??= makeModel(restoreBuffers(entry.state, entry.buffers), { get_model: (other) => findModel(models, other) });
  return entry.model;
}

async function showWidget(place, models, id) {
  const entry = models[id];
  if (!entry) throw new Error("its data is not in this page");
  const { state } = entry;
  if (typeof state._esm !== "string") {
    return apologise(place, "This control needs a live kernel. Launch this page in Binder or Colab, or download its notebook "
      + "and open it in JupyterLab; the buttons are at the top of the page.");
  }
  const model = await findModel(models, id);
  addStyle(state._css);
  const widget = await importSource(state._esm);
  const { initialize, render } = typeof widget === "function" ? await widget() : widget;
  entry.ready ??= Promise.resolve(initialize?.({ model }));
  await entry.ready;
  await render({ model, el: place });
}

function readModels() {
  return Object.assign({}, ...[...document.querySelectorAll(STATE)].map((script) => JSON.parse(script.textContent).state));
}

async function showAll() {
  let models = {};
  let broken = "";
  try { models = readModels(); } catch { broken = "the data of this page is damaged"; }
  await Promise.all([...document.querySelectorAll(VIEW)].map(async (script) => {
    const place = Object.assign(document.createElement("div"), { className: "ld-widget" });
    script.before(place);
    try {
      if (broken) throw new Error(broken);
      await showWidget(place, models, JSON.parse(script.textContent).model_id);
    } catch (error) {
      apologise(place, `This interactive figure could not start: ${error.message}. The rest of the page is not affected.`);
    }
  }));
}

showAll();
