// Buttons of several widgets: one that acts as long as it is held, one that is called by its name.

import { element, iconButton } from "../page/common.js";

/** A push button that pushes as long as it is held; `name` is two words, of which the second is shown. */
export function holdButton(icon, name, hold) {
  const { node } = iconButton(icon, name, () => {});
  node.classList.add("ld-push");
  node.append(name.split(" ")[1]);
  const down = (event) => { event.preventDefault(); node.setPointerCapture?.(event.pointerId); hold(true); };
  for (const event of ["pointerup", "pointercancel", "lostpointercapture"]) node.addEventListener(event, () => hold(false));
  node.addEventListener("pointerdown", down);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); hold(true); } });
  node.addEventListener("keyup", () => hold(false));
  node.addEventListener("contextmenu", (event) => event.preventDefault());
  return node;
}

/** A button with its name on it; one that stays pressed says so by `press`. */
export function wordButton(name, onclick, hint = "", stays = false) {
  const node = element("button", { type: "button", class: "ld-button ld-word", onclick, ...(hint && { title: hint }), ...(stays && { "aria-pressed": "false" }) }, name);
  return { node, press: (pressed) => node.setAttribute("aria-pressed", String(pressed)) };
}
