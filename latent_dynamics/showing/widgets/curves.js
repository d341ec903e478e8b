// What the curves of several widgets share: round numbers, lines with gaps, bits of lines for a legend, scrubbing.

import { element, svgElement } from "../page/common.js";

/** Round numbers for an axis from 0 to about `maximum`. */
export function ticks(maximum, wanted) {
  const power = 10 ** Math.floor(Math.log10(maximum / wanted));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= maximum / wanted);
  return Array.from({ length: Math.floor(maximum / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

/** A bit of a line as the curve draws it, and what it stands for. */
export const lineSample = (line, words) => element("span", { class: "ld-sample" },
  svgElement("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, svgElement("path", { ...line, d: "M1 5H25" })), words);

/** A line through values from step `first` on; a step without a pole that can be read leaves a gap. */
export function linePath(values, first, x, y, line) {
  const points = values.map((value, i) => (Number.isFinite(value)
    ? `${Number.isFinite(values[i - 1]) ? "L" : "M"}${x(first + i).toFixed(1)} ${y(value).toFixed(1)}` : ""));
  return svgElement("path", { ...line, d: points.join("") });
}

/** Crosses, `top` pixels down, over the steps from 1 on without a pole that can be read. */
export function crossesAt(angles, x, top, kind) {
  const crosses = angles.map((angle, i) => (Number.isFinite(angle) ? "" : `M${x(i + 1) - 3} ${top}l6 6m0 -6l-6 6`));
  return svgElement("path", { class: `ld-lost ld-${kind}`, d: crosses.join("") });
}

/** Lets a curve be scrubbed: calls `onscrub` with the step under the pointer that is down. */
export function scrubbed(svg, x, onscrub) {
  const scrub = ({ clientX }) => onscrub(Math.round(1 + (clientX - svg.getBoundingClientRect().left - x(1)) / (x(2) - x(1) || 1)));
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); scrub(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) scrub(event); });
}
