// The true CartPole in the page: its physics, its picture as the model gets it, the reader of angles, a drawing of it.
// Each part does what its namesake in the package does, number for number: cartpole.py, gusty.py, curtain.py,
// preprocessing.py, reader.py.

import { svgElement } from "./common.js";
import { inDegrees, signed } from "./words.js";

const TIME_STEP = 0.02; // seconds
const X_LIMIT = 2.4;
const THETA_LIMIT = 12 * 2 * Math.PI / 360;
const GRAVITY = 9.8;
const FORCE = 10;
const POLE_MASS = 0.1;
const TOTAL_MASS = 1.1;
const HALF_POLE = 0.5;
const PIXELS_PER_METRE = 600 / (2 * X_LIMIT);
const GUST_CHANCE = 0.04; // that one begins, in a calm step
const GUST_STEPS = 3;

/**
 * A world as a page's widgets use it: CartPole, or what the settings make of it: `gravity` in m/s^2, and `wind`, the place in
 * the state of a force in newtons that is added to every push and seen by nobody; `gusts`, whether they blow, and then the state
 * ends with the gust that blew, in newtons, and the steps for which it goes on; `curtain`, a cloth before the track: from where
 * to where, in shares of the width, and its gray. A state is [x, x_dot, theta, theta_dot, ...]; what else is behind these four
 * is carried along.
 */
export function makeWorld({ gravity = GRAVITY, wind = -1, gusts = false, curtain = null, ...unknown } = {}) {
  const [strange] = Object.keys(unknown);
  if (strange) throw Error(`the page's world has no setting "${strange}"; it has gravity, wind, gusts and curtain`);

  /** The gust of the next step and the steps left after it. Without `chance`, numbers from 0 to 1, none begins. */
  function blow([, , , , gust = 0, left = 0], chance) {
    const [begins, side] = chance ? [chance(), chance()] : [1, 1];
    if (left > 0 || begins >= GUST_CHANCE) return [left > 0 ? gust : 0, Math.max(0, left - 1)];
    return [side < 0.5 ? -FORCE : FORCE, GUST_STEPS - 1];
  }

  /** One exact step: action 0 pushes left, 1 right; a gust may begin by `chance`. Returns a new Float64Array. */
  function step(state, action, chance = null) {
    const air = gusts ? blow(state, chance) : [state[wind] ?? 0];
    const [x, xDot, theta, thetaDot] = state;
    const cos = Math.cos(theta);
    const sin = Math.sin(theta);
    const pole = POLE_MASS * HALF_POLE;
    const force = (action === 1 ? FORCE : -FORCE) + air[0];
    const push = (force + pole * (thetaDot * thetaDot) * sin) / TOTAL_MASS;
    const thetaAcc = (gravity * sin - cos * push) / (HALF_POLE * (4 / 3 - POLE_MASS * (cos * cos) / TOTAL_MASS));
    const xAcc = push - pole * thetaAcc * cos / TOTAL_MASS;
    const next = new Float64Array(Math.max(state.length, gusts ? 6 : 4));
    next.set(state); // one that says nothing of the air, as what is fitted to pictures, is calm
    next.set([x + TIME_STEP * xDot, xDot + TIME_STEP * xAcc, theta + TIME_STEP * thetaDot, thetaDot + TIME_STEP * thetaAcc]);
    if (gusts) next.set(air, 4);
    return next;
  }

  return {
    actions: 2, // left, right
    step,
    /** Where the cart is, in metres, and how far the pole leans, in radians; and a state at rest there. */
    pose: ([x, , theta]) => ({ x, theta }),
    standing: ({ x, theta }) => Float64Array.of(x, 0, theta, 0),
    /** Whether the episode ends in this state. */
    fallen: ([x, , theta]) => Math.abs(x) > X_LIMIT || Math.abs(theta) > THETA_LIMIT,
    /** The expert: push to the side of theta + 0.5 theta_dot; or of another weight on how fast it turns, in seconds. */
    expert: ([, , theta, thetaDot], weight = 0.5) => (theta + weight * thetaDot > 0 ? 1 : 0),
    draw: curtain ? (state) => hide(drawFrame(state), curtain) : drawFrame,
    read: curtain ? (frame, limits, slack) => readBehind(frame, curtain, limits, slack) : readFrame,
    gusts,
    /** Which way a gust blows that began on the way to a state: -1 left, 1 right; 0 where none began. */
    began: ([, , , , gust, left]) => (gusts && left === GUST_STEPS - 1 ? Math.sign(gust) : 0),
    /** The chance by which a gust begins to a side: -1 left, 1 right. */
    sure: (side) => { const drawn = [0, side < 0 ? 0.25 : 0.75]; return () => drawn.shift(); },
    /** What can be told of a state: a list of words. */
    inWords: ([x, xDot, theta, thetaDot]) => [
      `x ${signed(x, 2)} m`, `moving ${signed(xDot, 2)} m/s`, `pole ${signed(inDegrees(theta), 1)}\u00b0`,
      `turning ${signed(inDegrees(thetaDot), 0)}\u00b0/s`,
    ],
    /** The column of the frame above which the cart's middle stands. */
    column: ([x]) => 50 + (x * PIXELS_PER_METRE) / 6,
  };
}

// The picture. Gymnasium draws whole pixels on a screen whose rows count upwards, then turns it over. The model sees
// rows 80 to 239, so only this band is kept: 600 pixels a row, each 0xRRGGBB.

const [WHITE, BLACK, WOOD, HUB] = [0xffffff, 0x000000, 0xca9865, 0x8184cb];
const CENTRE = 300; // column
const AXLE = 107.5; // row
const POLE_CORNERS = [[-5, -5], [-5, 120], [5, 120], [5, -5]]; // about the axle
const HALF_DISC = [5, 5, 5, 4, 3, 0]; // half widths of the hub's rows, from its middle outwards
const band = new Uint32Array(600 * 160);

/** The model frame of a state: 32 x 100 bytes, 255 is white; byte for byte what the package makes of Gymnasium's picture. */
function drawFrame([x, , theta]) {
  const middle = x * PIXELS_PER_METRE + CENTRE;
  const [left, right] = [Math.trunc(middle - 25), Math.trunc(middle + 25)];
  const pole = turned(POLE_CORNERS, theta).map(([side, up]) => [Math.trunc(side + middle), Math.trunc(up + AXLE)]);
  band.fill(WHITE);
  for (let y = 85; y <= 115; y++) fillRow(left, right, y, BLACK);
  pole.forEach((corner, i) => smoothLine(corner, pole[(i + 1) % 4], WOOD));
  fillPolygon(pole, WOOD);
  fillHub(Math.trunc(middle), Math.trunc(AXLE));
  fillRow(0, 599, 100, BLACK); // the track
  const columns = [left, right, ...pole.map((corner) => corner[0])];
  return shrunk(Math.min(...columns) - 1, Math.max(...columns) + 1);
}

/** Points turned clockwise by theta; an angle next to nothing leaves them where they are, as in pygame. */
function turned(points, theta) {
  if (Math.abs(theta) < 1e-6) return points;
  const [sin, cos] = [Math.sin(theta), Math.cos(theta)];
  return points.map(([x, y]) => [cos * x + sin * y, cos * y - sin * x]);
}

/** Colours row y from one column to another, ends included. Rows outside the band are no part of the array. */
function fillRow(from, to, y, colour) {
  const right = Math.min(599, Math.max(from, to));
  for (let x = Math.max(0, Math.min(from, to)); x <= right; x++) band[600 * (y - 80) + x] = colour;
}

/** Mixes a colour into a pixel with alpha in 256ths, each channel rounded down. */
function blendPixel(x, y, colour, alpha) {
  if (x < 0 || x > 599) return;
  const i = 600 * (y - 80) + x;
  let mixed = 0;
  for (let shift = 0; shift < 24; shift += 8) {
    const under = (band[i] >> shift) & 255;
    mixed |= (under + ((((colour >> shift) & 255) - under) * alpha >> 8)) << shift;
  }
  band[i] = mixed;
}

/** Wu's smooth line without its last pixel, in the fixed point of SDL_gfx: 16 bits of error, 8 bits of weight. */
function smoothLine(from, to, colour) {
  const [x1, y1, x2, y2] = clipped(...from, ...to);
  let [x, y, right, up] = y1 > y2 ? [x2, y2, x1 - x2, y1 - y2] : [x1, y1, x2 - x1, y2 - y1];
  if (!right || !up) {
    for (let i = 0; i <= up; i++) fillRow(x, x + Math.max(0, right), y + i, colour);
    return;
  }
  const side = Math.sign(right);
  const steep = up > side * right;
  const [long, short] = steep ? [up, side * right] : [side * right, up];
  const advance = Math.floor(65536 * short / long) & 65535;
  blendPixel(x1, y1, colour, 256);
  for (let i = 1, error = 0; i < long; i++) {
    const before = error;
    error = (error + advance) & 65535;
    const over = error <= before;
    if (steep || over) y += 1;
    if (!steep || over) x += side;
    const weight = error >> 8;
    blendPixel(x, y, colour, 255 * (255 - weight) >> 8);
    blendPixel(steep ? x + side : x, steep ? y : y + 1, colour, 255 * weight >> 8);
  }
}

/** A line cut at the screen's edges to whole pixels, the cut end first; one wholly beside the screen is as it was. */
function clipped(x1, y1, x2, y2) {
  const inside = (x) => x >= 0 && x <= 599;
  while (inside(x1) !== inside(x2) || x1 * x2 < 0) {
    if (inside(x1)) [x1, y1, x2, y2] = [x2, y2, x1, y1];
    const edge = x1 < 0 ? 0 : 599;
    y1 += Math.trunc(Math.fround((edge - x1) * Math.fround((y2 - y1) / (x2 - x1))));
    x1 = edge;
  }
  return [x1, y1, x2, y2];
}

/** Fills a convex polygon row by row, its edges in the fixed point of SDL_gfx. */
function fillPolygon(corners, colour) {
  const edges = corners.map((corner, i) => [corner, corners[(i + 1) % 4]].sort((a, b) => a[1] - b[1]).flat());
  const top = Math.max(...edges.map((edge) => edge[3]));
  for (let y = Math.min(...edges.map((edge) => edge[1])); y <= top; y++) {
    let [least, most] = [Infinity, -Infinity];
    for (const [x1, y1, x2, y2] of edges) {
      if (y1 === y2 || y < y1 || y > y2 || (y === y2 && y < top)) continue;
      const crossing = Math.floor(65536 * (y - y1) / (y2 - y1)) * (x2 - x1) + 65536 * x1;
      least = Math.min(least, crossing);
      most = Math.max(most, crossing);
    }
    fillRow((least + 32769) >> 16, (most + 32767) >> 16, y, colour); // rounded, a hair inwards
  }
}

/** The axle's disc: its rows, and the four smooth pixels at its top and bottom. */
function fillHub(x, y) {
  for (let i = -5; i <= 5; i++) {
    const half = HALF_DISC[Math.abs(i)];
    fillRow(x - half, x + half, y + i, HUB);
  }
  for (const up of [y - 5, y + 5]) {
    for (const [side, alpha] of [[1, 229], [2, 152]]) {
      blendPixel(x - side, up, HUB, alpha);
      blendPixel(x + side, up, HUB, alpha);
    }
  }
}

/** The band in grey, turned over, each block of 5 x 6 pixels averaged. Beyond the columns given there is only the track. */
function shrunk(from, to) {
  const frame = new Uint8Array(3200).fill(255).fill(204, 2700, 2800);
  for (let row = 0; row < 32; row++) {
    for (let column = Math.max(0, Math.floor(from / 6)); column < Math.min(100, (to + 1) / 6); column++) {
      frame[100 * row + column] = blockMean(3000 * (31 - row) + 6 * column);
    }
  }
  return frame;
}

/** The mean grey of the block that starts at a pixel, rounded, halves to the even number. */
function blockMean(start) {
  const whole = 256 * 30;
  let sum = 0;
  for (let row = start; row < start + 3000; row += 600) {
    for (let i = row; i < row + 6; i++) sum += 77 * (band[i] >> 16) + 150 * ((band[i] >> 8) & 255) + 29 * (band[i] & 255);
  }
  const up = Math.floor(sum / whole + 0.5);
  return sum % whole === whole / 2 ? up - up % 2 : up;
}

/** Bytes as models read them: float32 in [0, 1], 1 is white. */
export const unitFrame = (bytes) => Float32Array.from(bytes, (byte) => byte / 255);

// The reader of angles, by the ink alone.

const CART_WIDTH = 51 / 6; // columns
const POLE_WIDTH = 12 / 6;
const LEAST_SHOWN = 0.4; // share of the pole or the cart that the picture must show
const WHOLE = 0.999; // share above which nothing is cut off: it is rounded

/**
 * Reads a frame of 3200 values in [0, 1]: { x in metres, theta in radians, valid, error }. `valid` is false where ink is
 * missing, doubled or smeared: beyond the limits { ink, smear, cart_ink } of real frames, [low, high] each, widened by
 * `slack`; and where the picture's edge leaves too little of pole or cart. `error` says how far the reader is off on real
 * frames of this kind, in metres and radians: limits.error or, where the edge cuts some of it off, limits.error_cut.
 */
function readFrame(frame, limits, slack = 1.5) {
  const ink = new Float64Array(frame).map((value) => (1 - value > 0.02 ? 1 - value : 0)); // less is a decoder's haze
  const pole = measurePole(ink);
  const cart = measureCart(ink);
  const shown = Math.min(pole.shown, cart.shown);
  const within = (amount, [low, high]) => amount > low / slack && amount < high * slack;
  return {
    x: (cart.middle - 50) * 6 / PIXELS_PER_METRE,
    theta: Math.atan(pole.slope),
    valid: within(pole.ink, limits.ink) && within(cart.ink, limits.cart_ink) && pole.smear < limits.smear[1] * slack
      && shown > LEAST_SHOWN,
    error: shown > WHOLE ? limits.error : limits.error_cut,
  };
}

/** Hangs the cloth before a frame of 3200 bytes. */
function hide(frame, [left, right, gray]) {
  for (let row = 0; row < 32; row++) frame.fill(gray, 100 * row + Math.round(100 * left), 100 * row + Math.round(100 * right));
  return frame;
}

/**
 * Reads a frame that a cloth may hide, as `readFrame` does, and says whether it does: `hidden` where there is nothing beside
 * the cloth, or where what there is reaches to its edge.
 */
function readBehind(frame, [left, right, gray], limits, slack) {
  const [from, to] = [Math.round(100 * left), Math.round(100 * right)];
  const bare = new Float64Array(frame);
  const rows = Array.from({ length: 32 }, (_, row) => 100 * row);
  const hung = rows.every((row) => bare.subarray(row + from, row + to).every((value) => Math.abs(value - gray / 255) < 2 / 255));
  if (hung) for (const row of rows) bare.fill(1, row + from, row + to);
  const seen = readFrame(bare, limits, slack);
  const moving = rows.filter((row) => row < 2400 || (row >= 2900 && row < 3100)); // not the track
  const none = moving.every((row) => bare.subarray(row, row + 100).every((value) => 1 - value < 0.05));
  const cut = moving.some((row) => 1 - Math.min(bare[row + from - 1], bare[row + to]) > 0.05);
  const hidden = hung && (none || cut);
  return { ...seen, valid: seen.valid && !hidden, hidden };
}

/** How much ink some rows hold, and the column about which it balances. */
function measureRows(ink, from, to) {
  let [sum, moment] = [0, 0];
  for (let i = 100 * from; i < 100 * to; i++) {
    sum += ink[i];
    moment += ink[i] * (i % 100 + 0.5);
  }
  return { ink: sum, centre: moment / Math.max(sum, 1e-9) };
}

/** The cart's middle, the ink that it would have were it whole, and which share of it the picture shows. */
function measureCart(ink) {
  const { ink: seen, centre } = measureRows(ink, 29, 31);
  // What is left of a cart cut off at the edge balances half-way between its inner end and the edge.
  const middle = centre + Math.max(0, centre - (100 - CART_WIDTH / 2)) - Math.max(0, CART_WIDTH / 2 - centre);
  const shown = (Math.min(100, middle + CART_WIDTH / 2) - Math.max(0, middle - CART_WIDTH / 2)) / CART_WIDTH;
  return { middle, shown, ink: seen / Math.max(shown, LEAST_SHOWN) };
}

/** The weighted straight line through the balance points of the pole's 24 rows, and how far the ink lies from it. */
function measurePole(ink) {
  const up = (row) => (400 - AXLE - 160 - (row + 0.5) * 5) / 6; // above the axle, in columns
  const isWhole = (column) => column >= POLE_WIDTH / 2 && column <= 100 - POLE_WIDTH / 2;
  const all = Array.from({ length: 24 }, (_, row) => ({ row, up: up(row), ...measureRows(ink, row, row + 1) }));
  const rows = all.filter((row) => isWhole(row.centre)); // one cut off at the edge balances elsewhere
  const sum = (value) => rows.reduce((total, row) => total + row.ink * value(row), 0);
  const seen = sum(() => 1);
  const total = Math.max(seen, 1e-9);
  const middle = { up: sum((row) => row.up) / total, centre: sum((row) => row.centre) / total };
  const slope = sum((row) => (row.up - middle.up) * (row.centre - middle.centre))
    / Math.max(sum((row) => (row.up - middle.up) ** 2), 1e-9);
  const line = (row) => middle.centre + slope * (row.up - middle.up);
  const shown = all.filter((row) => isWhole(line(row))).length / 24;

  let spread = 0;
  for (const row of rows) {
    for (let column = 0; column < 100; column++) spread += ink[100 * row.row + column] * (column + 0.5 - line(row)) ** 2;
  }
  return { ink: seen / Math.max(shown, LEAST_SHOWN), slope, smear: Math.sqrt(spread / total), shown };
}

// For the eye.

/** Paints a frame (3200 bytes, or float32 in [0, 1]) into the context of a 100 x 32 canvas. */
export function paintGrey(context, frame) {
  const image = context.createImageData(100, 32);
  const rgba = image.data; // rounds and clamps
  const scale = frame instanceof Float32Array ? 255 : 1;
  for (let i = 0; i < 3200; i++) {
    rgba[4 * i] = rgba[4 * i + 1] = rgba[4 * i + 2] = scale * frame[i];
    rgba[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/**
 * The world as a crisp drawing of the same band: { node, draw(state, { pushed }) }. `pushed` (0 left, 1 right) shows an arrow
 * on the side to which the cart was pushed; without it there is none.
 */
export function makeScene(label) {
  const cart = svgElement("rect", { class: "ld-scene-cart", x: -25, y: AXLE - 115, width: 50, height: 30, rx: 2 });
  const pole = svgElement("rect", { class: "ld-scene-pole", x: -5, y: -120, width: 10, height: 125, rx: 2 });
  const axle = svgElement("circle", { class: "ld-scene-axle", r: 5 });
  const arrow = svgElement("path", { class: "ld-scene-push", d: "M33 -8H62M52 -17L62 -8L52 1" });
  const moving = svgElement("g", {}, cart, pole, axle, arrow);
  const track = svgElement("line", { class: "ld-scene-track", x1: 0, x2: 600, y1: 299.5, y2: 299.5 });
  const view = { viewBox: "0 160 600 160", preserveAspectRatio: "xMidYMid slice" };
  const node = svgElement("svg", { class: "ld-scene", role: "img", "aria-label": label, ...view }, track, moving);

  function draw(state, { pushed = undefined } = {}) {
    const middle = state[0] * PIXELS_PER_METRE + CENTRE;
    moving.setAttribute("transform", `translate(${middle} ${400 - AXLE})`);
    pole.setAttribute("transform", `rotate(${state[2] * 180 / Math.PI})`);
    arrow.setAttribute("transform", `scale(${pushed ? 1 : -1} 1)`);
    arrow.style.display = pushed === 0 || pushed === 1 ? "" : "none";
  }
  return { node, draw };
}
