// What is wider than its column. An equation is drawn smaller, down to a size that can still be read. What must be pushed
// sideways all the same says at which of its edges there is more: the style sheet fades it out there.
{
  const LEAST = 0.64; // of an equation's size
  const SCROLLS = ".pst-scrollable-table-container, .ld-numbers, div.math mjx-container";

  const fit = (equation) => {
    const drawn = equation.querySelector("mjx-math");
    drawn.style.fontSize = "";
    const share = equation.clientWidth / drawn.getBoundingClientRect().width;
    if (share < 1) drawn.style.fontSize = `${Math.max(LEAST, 0.99 * share)}em`;
  };

  const tell = (part) => {
    const hidden = part.scrollWidth - part.clientWidth, gone = Math.abs(part.scrollLeft);
    const edges = hidden > 1 ? [...(gone > 1 ? ["start"] : []), ...(gone < hidden - 1 ? ["end"] : [])] : [];
    if (edges.length) part.dataset.more = edges.join(" ");
    else delete part.dataset.more;
  };

  const update = () => {
    document.querySelectorAll("div.math mjx-container").forEach((one) => one.clientWidth && fit(one));
    document.querySelectorAll(SCROLLS).forEach(tell);
  };

  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    update();
    const article = document.querySelector("article");
    if (article) new ResizeObserver(update).observe(article);
    document.addEventListener("toggle", update, true); // what is folded has no width
    document.addEventListener("scroll", ({ target }) => target.matches?.(SCROLLS) && tell(target), true);
  });
}
