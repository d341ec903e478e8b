// Many poles in one picture, as thin lines: what a belief holds possible.

import { svgElement } from "../page/common.js";

const LONG = 120; // screen pixels from the axle to the pole's tip

/** { node, draw(poses) } over frames of the default view (600 x 160 screen pixels), however they are stretched; poses are [x, theta]. */
export function manyPoles(kind) {
  const lines = svgElement("path", {});
  const node = svgElement("svg", { class: `ld-poles ld-${kind}`, viewBox: "0 160 600 160", preserveAspectRatio: "none", "aria-hidden": "true" }, lines);
  const line = ([x, theta]) => {
    const axle = 300 + 125 * x; // 125 pixels a metre
    return `M${axle.toFixed(1)} 292.5L${(axle + LONG * Math.sin(theta)).toFixed(1)} ${(292.5 - LONG * Math.cos(theta)).toFixed(1)}`;
  };
  const draw = (poses) => lines.setAttribute("d", poses.filter((pose) => pose.every(Number.isFinite)).map(line).join(""));
  return { node, draw };
}
