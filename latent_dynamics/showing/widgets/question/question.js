// What the book's questions share: the reader commits to an answer, and only then sees what was measured.

import { element, svgElement } from "../../page/common.js";

const MARKS = {
  right: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  wrong: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
};

/** The browser's memory of one answer. Some browsers refuse it (file://, private windows): then nothing is kept. */
export function memoryOf(key) {
  const name = `latent-dynamics ${key}`;
  const attempt = (act) => { try { return act(window.localStorage); } catch { return null; } };
  return {
    read: () => attempt((box) => JSON.parse(box.getItem(name))),
    keep: (answer) => attempt((box) => box.setItem(name, JSON.stringify(answer))),
    forget: () => attempt((box) => box.removeItem(name)),
  };
}

/** An icon with words beside it: never a colour alone. */
export function mark(icon, words) {
  const drawing = svgElement("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svgElement("path", { d: MARKS[icon] }));
  return element("span", { class: `ld-mark ld-mark-${icon}` }, drawing, words);
}

export const spoken = (text) => (text ? [element("p", {}, text)] : []);

/** Below the question: the button that commits, what is said then, and the way back. `refocus` finds the way back by keyboard. */
export function commitment(oncommit, onagain, refocus) {
  const button = (look, words, onclick) => element("button", { type: "button", class: `ld-button ld-commit ${look}`, onclick }, words);
  const commit = button("ld-button-main", "This is my answer", oncommit);
  const again = button("", "Ask me again", onagain);
  const hint = element("span", { class: "ld-hint" });
  const before = element("div", { class: "ld-controls ld-row" }, commit, hint);
  const after = element("div", { class: "ld-controls ld-row" }, again,
    element("span", { class: "ld-hint" }, "Your answer stays in this browser."));
  const verdict = element("div", { class: "ld-say ld-verdict", "aria-live": "polite" });

  /** `words`: nodes for the live region, or null before the answer; `todo`: what is missing until one can commit. */
  function show(words, todo) {
    const left = [commit, again].find((node) => node.matches(":focus"));
    before.hidden = Boolean(words);
    after.hidden = !words;
    commit.disabled = Boolean(todo);
    hint.textContent = todo;
    verdict.replaceChildren(...(words ?? []));
    if (left === commit && words) again.focus({ preventScroll: true });
    if (left === again && !words) refocus();
  }
  return { before, after, verdict, show };
}
