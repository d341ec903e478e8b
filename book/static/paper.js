// A page is printed light, whatever the reader's theme is: paper shows no dark background, and pale letters vanish on it.
// Solutions are printed open, since paper can't be clicked.
{
  const root = document.documentElement;
  let theme = null;
  const opened = [];
  addEventListener("beforeprint", () => {
    theme ??= root.dataset.theme;
    root.dataset.theme = "light";
    opened.push(...document.querySelectorAll("details.sd-dropdown:not([open])"));
    for (const solution of opened) solution.open = true;
  });
  addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
    theme = null;
    for (const solution of opened.splice(0)) solution.open = false;
  });
}
