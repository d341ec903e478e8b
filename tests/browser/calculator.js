// Hands a page's functions to a test, as `window.model`.

import { normal, pageModel } from "../../latent_dynamics/showing/page/engine.js";
import { element } from "../../latent_dynamics/showing/page/common.js";

async function render({ model, el }) {
  const functions = await pageModel(model, model.get("reference"));
  const more = async (names) => { Object.assign(functions, await pageModel(model, model.get("reference"), names)); };
  Object.assign(window, { model: functions, more, noise: normal });
  el.append(element("p", { class: "ld" }, "ready"));
}

export default { render };
