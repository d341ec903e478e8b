// Runs a model's recorded functions in the page: lists of plain operations on float32 numbers. See trace.py.
// Each operation is prepared once, with its buffers, and from then on only runs: a dream leaves no garbage.

import { floats, listen } from "./common.js";

const volume = (shape) => shape.reduce((product, n) => product * n, 1);

/** Row-major steps of a shape; a dimension of one has step 0, so that it is stretched wherever it meets a longer one. */
const steps = (shape) => shape.map((n, i) => (n === 1 ? 0 : volume(shape.slice(i + 1))));

/** For each number of a result, which number of the input it is; `origin` maps a place in the result to one in the input. */
function sources(input, result, origin = (place) => place) {
  const step = steps(input);
  return Int32Array.from({ length: volume(result) }, (_, flat) => {
    const place = [];
    for (let i = result.length - 1; i >= 0; i--) {
      place[i] = flat % result[i];
      flat = (flat - place[i]) / result[i];
    }
    const from = origin(place).slice(-step.length || result.length + 1);
    return step.reduce((sum, s, i) => sum + s * from[i], 0);
  });
}

/** y = f(x), number by number. */
const each = (f) => ([x], y) => () => { for (let i = 0; i < y.length; i++) y[i] = f(x.data[i]); };

/** Numbers picked from the input by place. */
const pick = (origin) => ([x, ...rest], y, shape) => {
  const from = sources(x.shape, shape, origin(x.shape, ...rest));
  return () => { for (let i = 0; i < y.length; i++) y[i] = x.data[from[i]]; };
};

/** Two inputs, either of them a plain number, stretched to the result's shape. */
const pair = (f) => ([a, b, alpha = 1], y, shape) => {
  const [one, two] = [a, b].map((x) => (typeof x === "number" ? { data: [x], shape: [] } : x));
  const [i1, i2] = [one, two].map((x) => sources(x.shape, shape));
  return () => { for (let i = 0; i < y.length; i++) y[i] = f(one.data[i1[i]], two.data[i2[i]], alpha); };
};

/** y = x W (+ bias), for any number of rows. */
function product(x, w, bias, y) {
  const [inner, width] = w.shape;
  return () => {
    for (let row = 0; row * width < y.length; row++) {
      const out = y.subarray(row * width, (row + 1) * width);
      if (bias) out.set(bias.data);
      else out.fill(0);
      for (let k = 0, at = 0; k < inner; k++, at += width) {
        const value = x.data[row * inner + k];
        if (value !== 0) for (let j = 0; j < width; j++) out[j] += value * w.data[at + j];
      }
    }
  };
}

/** Convolution, or transposed convolution: every input pixel meets every weight that joins it to an output pixel. */
function convolution([x, w, bias, stride, padding, dilation, transposed, , groups], y, shape) {
  if (groups !== 1 || dilation.some((d) => d !== 1)) throw Error("the engine has no grouped or dilated convolutions");
  const [, inChannels, inHeight, inWidth] = x.shape;
  const [, outChannels, outHeight, outWidth] = shape;
  const [kernelHeight, kernelWidth] = w.shape.slice(2);
  const kernel = kernelHeight * kernelWidth;
  const area = outHeight * outWidth;
  // The pairs of pixels (in, out) that each place of the kernel joins are the same for all channels.
  const joined = Array.from({ length: kernel }, () => []);
  const [coarse, fine] = transposed ? [x.shape, shape] : [shape, x.shape];
  for (let r = 0; r < coarse[2]; r++) for (let c = 0; c < coarse[3]; c++) {
    for (let k = 0; k < kernel; k++) {
      const [i, j] = [r * stride[0] - padding[0] + Math.floor(k / kernelWidth), c * stride[1] - padding[1] + (k % kernelWidth)];
      if (i < 0 || j < 0 || i >= fine[2] || j >= fine[3]) continue;
      const [a, b] = [r * coarse[3] + c, i * fine[3] + j];
      joined[k].push(...(transposed ? [a, b] : [b, a]));
    }
  }
  const pairs = joined.map((list) => Int32Array.from(list));
  return () => {
    for (let o = 0; o < outChannels; o++) y.fill(bias ? bias.data[o] : 0, o * area, (o + 1) * area);
    for (let o = 0; o < outChannels; o++) for (let i = 0; i < inChannels; i++) {
      const weights = (transposed ? i * outChannels + o : o * inChannels + i) * kernel;
      const [from, to] = [i * inHeight * inWidth, o * area];
      for (let k = 0; k < kernel; k++) {
        const weight = w.data[weights + k];
        const places = pairs[k];
        for (let p = 0; p < places.length; p += 2) y[to + places[p + 1]] += weight * x.data[from + places[p]];
      }
    }
  };
}

/** An input, or a plain number, stretched to a shape: a function of the place in the result. */
function stretched(x, shape) {
  if (typeof x === "number") return () => x;
  const from = sources(x.shape, shape);
  return (i) => x.data[from[i]];
}

/** y = condition ? a : b, number by number. */
function where(inputs, y, shape) {
  const [condition, a, b] = inputs.map((x) => stretched(x, shape));
  return () => { for (let i = 0; i < y.length; i++) y[i] = condition(i) ? a(i) : b(i); };
}

/** Sums along some dimensions, or all; as means where `mean` says so. */
const total = (mean) => ([x, dims], y) => {
  const away = new Set((dims?.length ? dims : [...x.shape.keys()]).map((dim) => wrap(dim, x.shape.length)));
  const to = sources(x.shape.map((n, i) => (away.has(i) ? 1 : n)), x.shape);
  const sums = new Float64Array(y.length);
  return () => {
    sums.fill(0);
    for (let i = 0; i < to.length; i++) sums[to[i]] += x.data[i];
    for (let i = 0; i < y.length; i++) y[i] = mean ? sums[i] * y.length / to.length : sums[i];
  };
};

/** Lists that run along one dimension of a shape: how many numbers each has, how far apart they lie, where each begins. */
function lanes(shape, dim) {
  const axis = wrap(dim, shape.length);
  const [length, step] = [shape[axis], volume(shape.slice(axis + 1))];
  const starts = Int32Array.from({ length: volume(shape) / length }, (_, i) => Math.floor(i / step) * step * length + (i % step));
  return { length, step, starts };
}

/** Each list along a dimension, as a plain array, turned by `f` into a list as long, or into one number. */
const along = (f) => ([x, dim], y) => {
  const { length, step, starts } = lanes(x.shape, Array.isArray(dim) ? dim[0] : dim);
  const lane = new Float64Array(length);
  return () => starts.forEach((start, n) => {
    for (let i = 0; i < length; i++) lane[i] = x.data[start + i * step];
    const found = f(lane);
    if (typeof found === "number") y[n] = found;
    else for (let i = 0; i < length; i++) y[start + i * step] = found[i];
  });
};

/** ln of the sum of exponentials, without ever taking one that is too large. */
const logSumExp = (lane) => {
  const most = lane.reduce((a, b) => Math.max(a, b));
  return Number.isFinite(most) ? most + Math.log(lane.reduce((sum, value) => sum + Math.exp(value - most), 0)) : most;
};

const softmax = (lane) => { const all = logSumExp(lane); return lane.map((value) => Math.exp(value - all)); };
const logSoftmax = (lane) => { const all = logSumExp(lane); return lane.map((value) => value - all); };
const cumulated = (lane) => { let sum = 0; return lane.map((value) => (sum += value)); };

/** The place of the first of the largest numbers. */
const argmax = (lane) => lane.reduce((best, value, i) => (value > lane[best] ? i : best), 0);

/** The largest, or by another rule the most extreme, numbers along some dimensions. */
const extreme = (better, worst) => ([x, dims], y) => {
  const away = new Set((dims?.length ? dims : [...x.shape.keys()]).map((dim) => wrap(dim, x.shape.length)));
  const to = sources(x.shape.map((n, i) => (away.has(i) ? 1 : n)), x.shape);
  return () => {
    y.fill(worst);
    for (let i = 0; i < to.length; i++) y[to[i]] = better(y[to[i]], x.data[i]);
  };
};

/** Products of matrices, one pair after another: (N, a, b), (N, b, c) -> (N, a, c). */
function batchedProduct([one, two], y) {
  const [count, height, inner] = one.shape;
  const width = two.shape[2];
  const part = ({ data }, size, n) => data.subarray(n * size, (n + 1) * size);
  const runs = Array.from({ length: count }, (_, n) => product(
    { data: part(one, height * inner, n) }, { data: part(two, inner * width, n), shape: [inner, width] }, null,
    y.subarray(n * height * width, (n + 1) * height * width),
  ));
  return () => { for (const run of runs) run(); };
}

/** Of each symmetric matrix S in the last two dimensions the lower triangle L with S = L L^T (Cholesky). */
function cholesky([x], y) {
  const n = x.shape.at(-1);
  return () => {
    y.fill(0);
    for (let start = 0; start < y.length; start += n * n) {
      const at = (i, j) => start + i * n + j;
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) {
        let rest = x.data[at(i, j)];
        for (let k = 0; k < j; k++) rest -= y[at(i, k)] * y[at(j, k)];
        y[at(i, j)] = i === j ? Math.sqrt(rest) : rest / y[at(j, j)];
      }
    }
  };
}

/** Numbers about their mean, in units of their spread, over the last dimensions; then weighed and moved. */
function layerNorm([x, shape, weight, bias, eps], y) {
  const size = volume(shape);
  return () => {
    for (let start = 0; start < y.length; start += size) {
      const row = new Float64Array(x.data.subarray(start, start + size)); // a copy
      const mean = row.reduce((sum, value) => sum + value, 0) / size;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size;
      for (let i = 0; i < size; i++) {
        y[start + i] = (row[i] - mean) / Math.sqrt(variance + eps) * (weight ? weight.data[i] : 1) + (bias ? bias.data[i] : 0);
      }
    }
  };
}

/** Numbers picked by lists of places, one list a dimension; a dimension without one is taken whole. The lists stand side by side. */
function index([x, lists], y, shape) {
  const all = x.shape.map((_, dim) => lists[dim] ?? null);
  const first = all.findIndex((list) => list);
  const given = all.filter((list) => list);
  if (all.slice(first, first + given.length).includes(null)) throw Error("the engine picks by lists of dimensions that stand side by side");
  const rank = Math.max(...given.map((list) => list.shape.length));
  const common = shape.slice(first, first + rank);
  const reach = volume(shape.slice(first + rank)); // numbers behind what is picked, taken whole
  const picked = given.map((list) => sources(list.shape, common));
  const strides = given.map((_, i) => volume(x.shape.slice(first + i + 1)));
  const sizes = given.map((_, i) => x.shape[first + i]);
  const [block, count] = [volume(x.shape.slice(first)), volume(common)];
  return () => {
    for (let outer = 0, to = 0; to < y.length; outer += block) {
      for (let n = 0; n < count; n++) {
        let from = outer;
        for (let i = 0; i < given.length; i++) from += wrap(given[i].data[picked[i][n]], sizes[i]) * strides[i];
        for (let k = 0; k < reach; k++) y[to++] = x.data[from + k];
      }
    }
  };
}

/** Of each list along a dimension the numbers that `places` says. */
function gather([x, dim, places], y, shape) {
  const axis = wrap(dim, shape.length);
  const step = volume(x.shape.slice(axis + 1));
  const stride = x.shape.map((_, i) => (i === axis ? 0 : volume(x.shape.slice(i + 1))));
  const base = Int32Array.from({ length: y.length }, (_, flat) => shape.reduceRight(
    ([sum, rest], n, i) => [sum + (rest % n) * stride[i], Math.floor(rest / n)], [0, flat])[0]);
  return () => { for (let i = 0; i < y.length; i++) y[i] = x.data[base[i] + places.data[i] * step]; };
}

/** Inputs laid end to end along one dimension. */
function cat([parts, dim = 0], y, shape) {
  const axis = dim < 0 ? dim + shape.length : dim;
  const inner = volume(shape.slice(axis + 1));
  const row = shape[axis] * inner;
  return () => {
    let start = 0;
    for (const part of parts) {
      const width = part.shape[axis] * inner;
      for (let at = 0, from = 0; at < y.length; at += row, from += width) {
        for (let i = 0; i < width; i++) y[at + start + i] = part.data[from + i];
      }
      start += width;
    }
  };
}

/** A copy of x with `value` written where `index` says, along one dimension: how an action becomes one-hot. */
function scatter([x, dim, index, value], y, shape) {
  const axis = dim < 0 ? dim + shape.length : dim;
  const step = volume(shape.slice(axis + 1));
  const base = sources(shape, index.shape, (place) => place.map((n, i) => (i === axis ? 0 : n)));
  return () => {
    y.set(x.data);
    for (let i = 0; i < base.length; i++) y[base[i] + index.data[i] * step] = typeof value === "number" ? value : value.data[i];
  };
}

/** The error function to seven decimals: Abramowitz & Stegun 7.1.26 is not enough near zero, so a series there. */
function erf(x) {
  const size = Math.abs(x);
  if (size < 2.5) {
    let term = x, sum = x;
    for (let n = 1; Math.abs(term) > 1e-9 * size; n++) { term *= -x * x / n; sum += term / (2 * n + 1); }
    return sum * 1.1283791670955126;
  }
  const t = 1 / (1 + 0.3275911 * size);
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return Math.sign(x) * (1 - tail);
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Standard normal noise (Box & Muller). */
export const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

const wrap = (i, n) => (i < 0 ? i + n : i);

const OPERATIONS = {
  view: ([x], y) => () => y.set(x.data),
  add: pair((a, b, alpha) => a + alpha * b),
  sub: pair((a, b, alpha) => a - alpha * b),
  rsub: pair((a, b, alpha) => b - alpha * a),
  mul: pair((a, b) => a * b),
  div: pair((a, b) => a / b),
  pow: pair((a, b) => a ** b),
  maximum: pair((a, b) => Math.max(a, b)),
  minimum: pair((a, b) => Math.min(a, b)),
  eq: pair((a, b) => Number(a === b)),
  ne: pair((a, b) => Number(a !== b)),
  gt: pair((a, b) => Number(a > b)),
  ge: pair((a, b) => Number(a >= b)),
  lt: pair((a, b) => Number(a < b)),
  le: pair((a, b) => Number(a <= b)),
  logical_and: pair((a, b) => Number(a && b)),
  logical_or: pair((a, b) => Number(a || b)),
  where,
  sum: total(false),
  mean: total(true),
  mm: ([x, w], y) => product(x, w, null, y),
  addmm: ([bias, x, w], y) => product(x, w, bias, y),
  convolution, cat, cholesky, scatter,
  softmax: along(softmax),
  log_softmax: along(logSoftmax),
  logsumexp: along(logSumExp),
  cumsum: along(cumulated),
  new_zeros: (_inputs, y) => () => y.fill(0),
  argmax: along(argmax),
  argmin: along((lane) => argmax(lane.map((value) => -value))),
  amax: extreme(Math.max, -Infinity),
  amin: extreme(Math.min, Infinity),
  bmm: batchedProduct,
  native_layer_norm: layerNorm,
  index, gather,
  relu: each((x) => Math.max(0, x)),
  gelu: each((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  sigmoid: each(sigmoid),
  silu: each((x) => x * sigmoid(x)),
  tanh: each(Math.tanh),
  softplus: each((x) => (x > 20 ? x : Math.log1p(Math.exp(x)))),
  elu: ([x, alpha = 1, scale = 1, input = 1], y) => each((v) => scale * (v > 0 ? v : alpha * Math.expm1(v * input)))([x], y),
  exp: each(Math.exp),
  expm1: each(Math.expm1),
  log: each(Math.log),
  log1p: each(Math.log1p),
  erf: each(erf),
  special_ndtr: each((x) => 0.5 * (1 + erf(x * Math.SQRT1_2))),
  logical_not: each((x) => Number(!x)),
  sqrt: each(Math.sqrt),
  rsqrt: each((x) => 1 / Math.sqrt(x)),
  reciprocal: each((x) => 1 / x),
  abs: each(Math.abs),
  sign: each(Math.sign),
  neg: each((x) => -x),
  clamp: ([x, low, high], y) => each((v) => Math.min(high ?? Infinity, Math.max(low ?? -Infinity, v)))([x], y),
  randn_like: each(normal),
  repeat: pick((shape) => (place) => place.map((n, i) => n % (shape[i - place.length + shape.length] ?? 1))),
  expand: pick(() => (place) => place),
  permute: pick((shape, order) => (place) => { const from = []; order.forEach((d, i) => { from[wrap(d, shape.length)] = place[i]; }); return from; }),
  transpose: pick((shape, a, b) => (place) => { const from = [...place]; from[wrap(a, shape.length)] = place[wrap(b, shape.length)]; from[wrap(b, shape.length)] = place[wrap(a, shape.length)]; return from; }),
  t: pick(() => (place) => [...place].reverse()),
  select: pick((shape, dim, index) => (place) => { const from = [...place]; from.splice(wrap(dim, shape.length), 0, wrap(index, shape[wrap(dim, shape.length)])); return from; }),
  slice: pick((shape, dim = 0, start = 0, _end = 0, step = 1) => (place) => place.map((n, i) => (i === wrap(dim, shape.length) ? wrap(start ?? 0, shape[i]) + n * step : n))),
};

/** Turns a recorded graph and its constants into a function of number arrays, which returns a fresh array. */
function prepare(graph, constants) {
  const slots = [...graph.inputs.map((shape) => ({ shape, data: new Float32Array(volume(shape)) })), ...constants];
  const look = (arg) => {
    if (Array.isArray(arg)) return arg.map(look);
    return typeof arg === "string" && arg.startsWith("%") ? slots[arg.slice(1)] : arg;
  };
  const runs = graph.nodes.map(({ op, args, shape }) => {
    if (!OPERATIONS[op]) throw Error(`the page cannot compute "${op}"`);
    const data = new Float32Array(volume(shape));
    const run = OPERATIONS[op](look(args), data, shape);
    slots.push({ shape, data });
    return run;
  });
  return (...inputs) => {
    inputs.forEach((numbers, i) => slots[i].data.set(typeof numbers === "number" ? [numbers] : numbers));
    for (const run of runs) run();
    return slots[graph.output].data.slice();
  };
}

/** Half-precision floats as numbers. */
export function halves(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) => {
    const half = view.getUint16(2 * i, true);
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
    return half & 0x8000 ? -size : size;
  });
}

const NEEDED = "It needs Chrome or Edge 110, Firefox 115 or Safari 16.4, or a later one"; // for all that the scripts use

/** Unpacks zlib bytes that hold all low bytes first, then all high ones. */
async function unpack(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const half = planes.length / 2;
  return Uint8Array.from(planes, (_, i) => planes[(i >> 1) + (i & 1 ? half : 0)]);
}

/** The constants of one function, out of the bytes that carry them. */
async function constantsOf(weights) {
  if (!globalThis.DecompressionStream) throw Error(`this browser is too old to unpack its trained weights. ${NEEDED}`);
  const layout = weights.get("layout_of");
  const ends = [];
  for (const { shape, half } of layout) ends.push((ends.at(-1) ?? 0) + volume(shape) * (half ? 2 : 4));
  const bytes = await unpack(weights.get("chunk")).catch(() => new Uint8Array());
  if (bytes.length !== (ends.at(-1) ?? 0)) throw Error("its trained weights are damaged or did not arrive");
  return layout.map(({ shape, half }, i) => {
    const own = bytes.subarray(ends[i - 1] ?? 0, ends[i]);
    return { shape, data: half ? halves(own) : new Float32Array(own.slice().buffer) };
  });
}

const FUNCTIONS = ["see", "begin", "update", "step", "decode"];

export const neighbour = (model, reference) => model.widget_manager.get_model(reference.replace("IPY_MODEL_", ""));

/** One exported function of a widget, from its graph and the name of its weights. */
export const pageFunction = async (model, { graph, weights }) => prepare(graph, await constantsOf(await neighbour(model, weights)));

/**
 * A world model as the page runs it: { name, see(frame), begin(code), update(belief, action, code), step(belief, action),
 * decode(belief), inKernel?, close? }, of a trait that names a PageModel. Its functions answer at once, or with a promise where the
 * kernel has to compute them; so await them. `names` says which of its functions are wanted, where they are others: see uncertain.py.
 */
export async function pageModel(model, reference, names = FUNCTIONS) {
  const source = await neighbour(model, reference);
  if (source.get("in_kernel")) return kernelModel(source);
  const functions = { name: source.get("name") };
  for (const name of names) functions[name] = await pageFunction(model, source.get("functions")[name]);
  return functions;
}

/** A widget's models, each fetched when it is first asked for, by its number: { of(m), close() }. */
export function pageModels(model, names = FUNCTIONS) {
  const nets = new Map();
  const of = async (m) => {
    if (!nets.has(m)) nets.set(m, await pageModel(model, model.get("models")[m], names));
    return nets.get(m);
  };
  return { of, close: () => nets.forEach((net) => net.close?.()) };
}

const PATIENCE = 10; // seconds that the page waits for Python
const LATE = `Python has not answered for ${PATIENCE} seconds; it is busy, or gone`;
const GONE = "Python has to compute this model, and its kernel is gone; run the notebook's cells again";

/** The same for a model that only Python can run: each call is a message with its numbers as buffers, each answer another. */
function kernelModel(source) {
  const waiting = new Map();
  const end = (id, error, result) => {
    const { resolve, reject, clock } = waiting.get(id) ?? {}; // an answer may be another page's, or come too late
    clearTimeout(clock);
    waiting.delete(id);
    if (error) reject?.(Error(error));
    else resolve?.(result);
  };
  const call = (name) => (...inputs) => new Promise((resolve, reject) => {
    const id = Math.random().toString(36);
    waiting.set(id, { resolve, reject, clock: setTimeout(() => end(id, LATE), 1000 * PATIENCE) });
    if (source.comm_live === false) end(id, GONE);
    else source.send({ id, call: name }, undefined, inputs.map((input) => Float32Array.from(typeof input === "number" ? [input] : input).buffer));
  });
  const endAll = () => { for (const id of [...waiting.keys()]) end(id, GONE); };
  const deafen = listen(source, [
    ["msg:custom", ({ id, error }, buffers) => end(id, error, buffers[0] && floats(buffers[0]))],
    ["comm_live_update", () => { if (!source.comm_live) endAll(); }],
  ]);
  const functions = { name: source.get("name"), inKernel: true, close() { deafen(); endAll(); } };
  for (const name of FUNCTIONS) functions[name] = call(name);
  return functions;
}
