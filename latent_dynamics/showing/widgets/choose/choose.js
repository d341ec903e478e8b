// A question with answers to choose from. Before the reader commits nothing is given away; after it each answer is explained.
// The model's traits are the only state: every control sets a trait, every trait change draws.

import { element, greySheet, iconButton, keepKeys, listen, metronome, oncePerFrame, setterOf, slider } from "../../page/common.js";
import { commitment, mark, memoryOf, spoken } from "../question/question.js";

/** An answer: a radio button, perhaps a film, and room for the mark that it gets. */
function optionCard(group, label, index, film, onchoose) {
  const input = element("input", { type: "radio", name: group, value: index, onchange: () => onchoose(index) });
  const verdict = element("span", { class: "ld-option-mark" });
  const words = element("span", { class: "ld-option-words" }, input, element("span", {}, label), verdict);
  const node = element("label", { class: "ld-option" }, ...(film ? [film.canvas] : []), words);
  return { node, input, verdict };
}

/** The films that answers show; `draw` paints one frame of each. */
async function readFilms(model) {
  if (!model.get("shape").length) return { films: [], draw() {} };
  const [count, , height, width] = model.get("shape");
  const sheet = await greySheet(model.get("sprite"));
  const films = Array.from({ length: count }, () => {
    const canvas = element("canvas", { width, height, "aria-hidden": "true" });
    return { canvas, context: canvas.getContext("2d"), image: new ImageData(width, height) };
  });
  const draw = (frame) => films.forEach(({ context, image }, f) => {
    for (let i = 0, y = 0; y < height; y++) {
      const start = ((frame - 1) * height + y) * sheet.width + f * width;
      for (let x = 0; x < width; x++, i += 4) {
        image.data.fill(sheet.grey[start + x], i, i + 3);
        image.data[i + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  });
  return { films, draw };
}

/** Play and scrub, for all films at once. */
function filmControls(model, set) {
  const play = iconButton("play", "Play the films", () => set({ playing: !model.get("playing") }));
  const frame = slider("Frame", (n) => set({ playing: false, frame: n }));
  const show = () => {
    const [, last] = model.get("shape");
    frame.show(model.get("frame"), last, `${model.get("frame")} of ${last}`);
    if (model.get("playing")) play.rename("pause", "Pause the films");
    else play.rename("play", "Play the films");
  };
  return { node: element("div", { class: "ld-controls ld-film-controls" }, play.node, frame.node), show };
}

/** The numbers that settle it, as bars that can also be read. */
function barList(bars) {
  const most = Math.max(...bars.map(([, number]) => number)) || 1;
  return element("ul", { class: "ld-bars" }, ...bars.map(([name, number, words]) => {
    const bar = element("span", { class: "ld-bar", "aria-hidden": "true" }, element("span"));
    bar.firstChild.style.width = `${(100 * number) / most}%`;
    return element("li", {}, element("span", {}, name), bar, element("span", { class: "ld-bar-words" }, words));
  }));
}

/** What is said after the commitment: about the answer chosen, then about the right one, then the run's own figures. */
function explain(model) {
  const [labels, whys, right, answer] = ["labels", "whys", "right", "answer"].map((name) => model.get(name));
  const about = (icon, words, why) => element("p", {}, mark(icon, words), ` ${why}`);
  const said = answer === right
    ? [about("right", "Right.", whys[right])]
    : [about("wrong", "Not this one.", whys[answer]), about("right", `Right: \u201c${labels[right]}\u201d.`, whys[right])];
  return [...said, ...spoken(model.get("evidence"))];
}

function theOthers(model) {
  const [labels, whys, right, answer] = ["labels", "whys", "right", "answer"].map((name) => model.get(name));
  const rest = labels.map((_, i) => i).filter((i) => i !== right && i !== answer);
  if (!rest.length) return [];
  return [element("details", {}, element("summary", {}, "And the other answers?"),
    ...rest.map((i) => element("p", {}, element("strong", {}, labels[i]), ` ${whys[i]}`)))];
}

let groups = 0; // radio buttons of two views of one question must not belong together

async function render({ model, el }) {
  const memory = memoryOf(model.get("key"));
  const set = setterOf(model);
  const { films, draw } = await readFilms(model);
  const group = `ld-choose-${++groups}-${model.get("key")}`;
  const options = model.get("labels").map((label, i) => optionCard(group, label, i, films[i], (answer) => set({ answer })));
  const commit = commitment(
    () => set({ playing: false, committed: true }),
    () => set({ committed: false, answer: null }),
    () => options[0].input.focus({ preventScroll: true }),
  );
  const cards = element("div", { class: films.length ? "ld-options ld-options-films" : "ld-options" }, ...options.map((option) => option.node));
  const fields = element("fieldset", { class: "ld-ask" }, element("legend", { class: "ld-title" }, model.get("question")), cards);
  const settled = element("div");
  const root = element("div", { class: "ld ld-question ld-choose" }, fields);
  const controls = films.length ? filmControls(model, set) : null;
  if (controls) root.append(controls.node);
  root.append(commit.before, commit.verdict, settled, commit.after);
  keepKeys(root);
  el.replaceChildren(root);

  function drawAnswer() {
    const [answer, right, committed] = ["answer", "right", "committed"].map((name) => model.get(name));
    options.forEach(({ node, input, verdict }, i) => {
      input.checked = i === answer;
      input.disabled = committed;
      node.classList.toggle("ld-option-right", committed && i === right);
      node.classList.toggle("ld-option-chosen", i === answer);
      verdict.replaceChildren();
      if (committed && i === right) verdict.append(mark("right", i === answer ? "your answer, and right" : "right"));
      else if (committed && i === answer) verdict.append(mark("wrong", "your answer"));
    });
    commit.show(committed ? explain(model) : null, answer === null ? "Choose one first." : "");
    settled.replaceChildren();
    if (committed) settled.append(...(model.get("bars").length ? [barList(model.get("bars"))] : []), ...theOthers(model));
  }

  function drawFilms() {
    draw(model.get("frame"));
    controls?.show();
  }

  const remember = () => (model.get("committed") ? memory.keep(model.get("answer")) : memory.forget());
  const clock = metronome(() => model.get("frames_per_second"), () => set({ frame: (model.get("frame") % model.get("shape")[1]) + 1 }));
  const playOrPause = () => (model.get("playing") ? clock.start() : clock.stop());

  const kept = memory.read();
  if (!model.get("committed") && Number.isInteger(kept) && kept >= 0 && kept < options.length) set({ answer: kept, committed: true });
  const askAnswer = oncePerFrame(drawAnswer);
  const askFilms = oncePerFrame(drawFilms);
  const deafen = listen(model, [
    ["change:answer", askAnswer], ["change:committed", askAnswer], ["change:committed", remember],
    ["change:frame", askFilms], ["change:playing", askFilms], ["change:playing", playOrPause],
  ]);
  drawAnswer();
  drawFilms();
  playOrPause();

  return () => {
    deafen();
    clock.stop();
    askAnswer.cancel();
    askFilms.cancel();
  };
}

export default { render };
