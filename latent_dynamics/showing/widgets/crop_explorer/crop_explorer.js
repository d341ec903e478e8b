// Drag the crop over a real screen: the shrunk frame, and what was cut off, at once.

import { chooser, element, furnish, keepKeys, listen, oncePerFrame, readImage, restingSentence, setterOf, slider, widgetRoot } from "../../page/common.js";

const WIDTH = 600;
const HEIGHT = 400;
const POLE = [202, 152, 101]; // the renderer's brown
const NEAR = 12; // colours this close, summed over the channels, are the same

/** Decodes the PNG of all screens, one below the other. */
async function readScreens(bytes) {
  const context = await readImage(bytes);
  return Array.from({ length: context.canvas.height / HEIGHT }, (_, s) => readScreen(context.getImageData(0, s * HEIGHT, WIDTH, HEIGHT)));
}

/** One screen: 256 times each pixel's gray, and where pole, cart and background are. */
function readScreen(image) {
  const gray = new Uint16Array(WIDTH * HEIGHT);
  const isPole = new Uint8Array(WIDTH * HEIGHT);
  const [white, pole, cart] = [0, 1, 2].map(() => new Uint16Array(HEIGHT)); // pixels a row
  for (let i = 0; i < gray.length; i++) {
    const r = image.data[4 * i];
    const g = image.data[4 * i + 1];
    const b = image.data[4 * i + 2];
    const row = Math.floor(i / WIDTH);
    gray[i] = 77 * r + 150 * g + 29 * b;
    isPole[i] = Number(Math.abs(r - POLE[0]) + Math.abs(g - POLE[1]) + Math.abs(b - POLE[2]) < NEAR);
    white[row] += Number(r + g + b === 765);
    pole[row] += isPole[i];
    cart[row] += Number(r + g + b < NEAR);
  }
  cart.forEach((n, row) => { if (n === WIDTH) cart[row] = 0; }); // dark all the way: that is the track
  return { image, gray, isPole, white, pole, cart };
}

/** The model's frame, byte for byte as preprocessing.to_bytes has it; `touching` of its numbers hold some pole. */
function shrink({ gray, isPole }, { top, bottom, block_rows, block_columns }) {
  const width = WIDTH / block_columns;
  const height = (bottom - top) / block_rows;
  const sums = new Float64Array(width * height);
  const touched = new Uint8Array(width * height);
  for (let y = top; y < bottom; y++) {
    const start = Math.floor((y - top) / block_rows) * width;
    for (let x = 0; x < WIDTH; x++) {
      const block = start + Math.floor(x / block_columns);
      sums[block] += gray[y * WIDTH + x];
      touched[block] |= isPole[y * WIDTH + x];
    }
  }
  const size = 256 * block_rows * block_columns;
  const bytes = new Uint8ClampedArray(sums.map((sum) => Math.fround(sum / size))); // rounds halves to even, as NumPy does
  return { bytes, width, height, touching: total(touched) };
}

const total = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Three shares: of the crop that is plain background, of the screen's pole and of its cart that the crop keeps. */
function shares({ white, pole, cart }, { top, bottom }) {
  const inside = (rows) => total(rows.subarray(top, bottom));
  return [inside(white) / (WIDTH * (bottom - top)), inside(pole) / total(pole), inside(cart) / total(cart)];
}

// A crop is always a whole number of blocks high: an edge goes to the nearest row that keeps it so.
const blocksWithin = (rows, room, block) => block * Math.max(1, Math.min(Math.floor(room / block), Math.round(rows / block)));
const topAt = ({ bottom, block_rows }, row) => ({ top: bottom - blocksWithin(bottom - row, bottom, block_rows) });
const bottomAt = ({ top, block_rows }, row) => ({ bottom: top + blocksWithin(row - top, HEIGHT - top, block_rows) });

function withBlockRows({ top, bottom }, block_rows) {
  const rows = block_rows * Math.max(1, Math.floor((bottom - top) / block_rows));
  const first = Math.min(top, HEIGHT - rows);
  return { top: first, bottom: first + rows, block_rows };
}

/** Only what is whole is called so: 99.97% is not 100%. A screen without a pole keeps no share of it. */
const percent = (share) => (share === 1 ? "100%" : share >= 0 ? `${Math.min(99.9, 100 * share).toFixed(1)}%` : "none");

/** An edge of the crop that a mouse or a finger drags; keys have the sliders. */
function edge(side, picture, row, onmove) {
  const node = element("div", { class: `ld-edge ld-edge-${side}` });
  const rowUnder = (event) => {
    const box = picture.getBoundingClientRect();
    return (HEIGHT * (event.clientY - box.top)) / box.height;
  };
  let off = 0;
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    off = rowUnder(event) - row();
    event.preventDefault(); // it selects no text
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) onmove(rowUnder(event) - off);
  });
  return node;
}

/** A figure and what it counts. */
function tile(words) {
  const value = element("strong");
  const node = element("div", {}, value, element("span", {}, words));
  const show = (text, alarm) => {
    value.textContent = text;
    value.className = alarm ? "ld-free" : "";
  };
  return { node, show };
}

/** The screen with its crop, and beside it, at the same scale and height, the frame. */
function makePictures(model, view, set) {
  const context = element("canvas", { width: WIDTH, height: HEIGHT, role: "img" }).getContext("2d");
  const frame = element("canvas", { class: "ld-crop-frame", role: "img" }).getContext("2d");
  const picture = element("div", { class: "ld-crop-picture" }, context.canvas);
  picture.append(element("div", { class: "ld-cut" }), element("div", { class: "ld-cut" }),
    edge("top", picture, () => view().top, (row) => set(topAt(view(), row))),
    edge("bottom", picture, () => view().bottom, (row) => set(bottomAt(view(), row))));
  const captions = [0, 1].map(() => element("p"));
  const node = element("div", { class: "ld-crop-pictures" },
    element("div", {}, captions[0], picture),
    element("div", {}, captions[1], element("div", { class: "ld-crop-picture ld-crop-seen" }, frame.canvas)));

  function show(screen, { bytes, width, height }) {
    const { top, bottom, block_rows, block_columns } = view();
    const share = (rows) => `${(100 * rows) / HEIGHT}%`;
    context.putImageData(screen.image, 0, 0);
    context.canvas.setAttribute("aria-label", `The screen: ${model.get("labels")[model.get("screen")]}`);
    node.setAttribute("style", `--top: ${share(top)}; --bottom: ${share(bottom)}`); // the style sheet does the rest
    captions[0].textContent = `The screen, rows ${top} to ${bottom} kept`;

    furnish(frame.canvas, { width, height, "aria-label": `What the model sees: ${height} by ${width} gray numbers` }, []);
    const image = frame.createImageData(width, height);
    const rgba = new Uint32Array(image.data.buffer);
    bytes.forEach((byte, i) => { rgba[i] = 0xff000000 + 0x010101 * byte; });
    frame.putImageData(image, 0, 0);
    captions[1].textContent = `What the model sees, each ${block_rows} \u00d7 ${block_columns} pixels in one`;
  }
  return { node, show };
}

/** Buttons, edges, blocks, screens; each only sets traits. */
function makeControls(model, view, set) {
  const buttons = model.get("presets").map(([words, crop]) =>
    ({ crop, node: element("button", { type: "button", class: "ld-button", onclick: () => set(crop) }, words) }));
  const [heights, widths] = model.get("blocks");
  const blocks = (name, sizes, change) => chooser(name, sizes.map((n) => `${n} px`), (i) => set(change(sizes[i])));
  const top = slider("Top edge", (row) => set(topAt(view(), row)));
  const bottom = slider("Bottom edge", (row) => set(bottomAt(view(), row)));
  const rows = blocks("Block height", heights, (n) => withBlockRows(view(), n));
  const columns = blocks("Block width", widths, (n) => ({ block_columns: n }));
  const screen = chooser("Screen", model.get("labels"), (i) => set({ screen: i }));
  const node = element("div", { class: "ld-controls" }, element("div", { class: "ld-crop-buttons" }, ...buttons.map(({ node }) => node)),
    top.node, bottom.node, screen.node, rows.node, columns.node);

  function show() {
    const now = view();
    const step = now.block_rows;
    furnish(top.node.querySelector("input"), { min: now.bottom % step, step }, []);
    furnish(bottom.node.querySelector("input"), { min: now.top + step, step }, []);
    top.show(now.top, now.bottom - step, `row ${now.top}`);
    bottom.show(now.bottom, now.top + blocksWithin(HEIGHT, HEIGHT - now.top, step), `row ${now.bottom}`);
    rows.show(heights.indexOf(step));
    columns.show(widths.indexOf(now.block_columns));
    screen.show(model.get("screen"));
    for (const { crop, node } of buttons) node.setAttribute("aria-pressed", Object.keys(crop).every((name) => crop[name] === now[name]));
  }
  return { node, show };
}

/** What a crop does, in words. */
function cropInWords({ top, bottom }, { width, height, touching }, kept) {
  const [background, pole, cart] = kept;
  const cut = (what, kept) => (kept < 1 ? [`${percent(1 - kept)} of the ${what}`] : []);
  const lost = [...cut("pole", pole), ...cut("cart", cart)].join(" and ");
  return `Rows ${top} to ${bottom}: ${percent(background)} of the crop is plain background. `
    + `${touching} of ${(width * height).toLocaleString("en")} numbers touch the pole. `
    + (lost ? `The crop cuts off ${lost}, and nothing in the frame\u2019s shape says so.` : "It keeps all of pole and cart that the screen shows.");
}

async function render({ model, el }) {
  const screens = await readScreens(model.get("sheet"));
  const traits = ["top", "bottom", "block_rows", "block_columns", "screen"];
  /** @returns {any} the crop, and the screen that it is of */
  const view = () => Object.fromEntries(traits.map((name) => [name, model.get(name)]));
  const set = setterOf(model);
  const pictures = makePictures(model, view, set);
  const controls = makeControls(model, view, set);
  const tiles = ["numbers a frame", "touch the pole", "is background", "of the pole kept", "of the cart kept"].map((words) => tile(words));
  const sentence = restingSentence();
  const root = widgetRoot(model, "ld-crop", "Crop explorer.");
  root.append(pictures.node, element("div", { class: "ld-tiles" }, ...tiles.map(({ node }) => node)), controls.node, sentence.node);
  el.replaceChildren(root);
  keepKeys(root);

  function draw() {
    const screen = screens[model.get("screen")];
    const frame = shrink(screen, view());
    const kept = shares(screen, view());
    pictures.show(screen, frame);
    controls.show();
    tiles[0].show(`${frame.height} \u00d7 ${frame.width}`);
    tiles[1].show(frame.touching);
    kept.forEach((share, i) => tiles[2 + i].show(percent(share), i && share < 1));
    sentence.say(() => cropInWords(view(), frame, kept));
  }

  const ask = oncePerFrame(draw);
  const deafen = listen(model, traits.map((name) => [`change:${name}`, ask]));
  draw();

  return () => {
    deafen();
    ask.cancel();
    sentence.stop();
  };
}

export default { render };
