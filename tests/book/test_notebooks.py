"""Hygiene of the chapters: committed without outputs, no typed numbers in prose, captions, one order of sections.

Each check is a function from a notebook to a list of complaints, tried below on a notebook that breaks its rule.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from latent_dynamics import pages

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if re.match(r"\d\d_", path.name)]

HEAD = ["What you will learn", "What you need", "Run time", "Predict first"]
FOOT = ["What can go wrong", "Take-away", "Exercises", "Further reading"]

DRAWS = re.compile(r"plt\.|plotting\.[a-z_]+\(|\.plot\(")
MAGIC = re.compile(r"^(\s*)%.*", re.M)
COLUMNS = 76  # characters of code that a page shows in one line
NUMBER = re.compile(r"(?<![A-Za-z_\d.,])\d+(?:[.,]\d+)*")  # not the digit of a name, as in float32 or CartPole-v1
CODE = "\0code"  # stands for a visible code cell in a section's text
CODE_LIKE = {"bibliography", "code", "code-block", "literalinclude", "math", "raw", "toctree"}
EXTENSIONS = {"amsmath", "colon_fence", "deflist", "dollarmath", "substitution", "tasklist"}  # as in _config.yml


def read(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def where(cell):
    return f"cell {cell.get('id')} ({cell.source.strip().partition(chr(10))[0]:.60})"


# --- the checks -------------------------------------------------------------------------------------------------------


def bad_state(notebook):
    """Invalid, without cell ids, or with something that only a run leaves behind."""
    ids = [cell.get("id") for cell in notebook.cells]  # before validate, which mends them
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {str(error).splitlines()[0]}"]
    found = []
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5) or None in ids or len(set(ids)) < len(ids):
        found.append("cell ids are missing or not unique: save it as nbformat 4.5")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("its kernelspec must be python3")
    if "widgets" in notebook.metadata:
        found.append("widget state is stored in its metadata: clear it")
    for cell in cells(notebook, "code"):
        if cell.outputs or cell.execution_count is not None or "execution" in cell.metadata:
            found.append(f"{where(cell)} has stored outputs: clear them before committing")
    return found


def typed_numbers(notebook):
    """Digits in prose, alt texts and captions, beyond the notebook's own list of settings that may be named there."""
    allowed = notebook.metadata.get("latent_dynamics", {}).get("numbers", [])
    texts = [(cell, prose(cell.source)) for cell in cells(notebook, "markdown")]
    texts += [(cell, text) for cell in cells(notebook, "code") for text in (alt_text(cell), prose(caption(cell)))]
    return [
        f"{where(cell)} types {number!r}: let a cell display it, or allow it in metadata.latent_dynamics.numbers"
        for cell, text in texts
        for number in NUMBER.findall(without(text, allowed))
    ]


def without(text, allowed):
    for entry in sorted(allowed, key=len, reverse=True):
        text = re.sub(rf"(?<![\d.,]){re.escape(entry)}(?!\d|[.,]\d)", " ", text)
    return text


def prose(source):
    """The words of a Markdown text: no maths, code, links, references, targets, HTML tags or comments."""
    parser = create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)
    return "\n".join(words(parser.parse(source)))


def words(tokens):
    in_link = 0
    for token in tokens:
        in_link += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.children:
            yield from words(token.children)
        elif token.type == "text" and not in_link:
            yield token.content
        elif token.type == "html_block":
            yield re.sub(r"<!--.*?-->|<[^>]*>", " ", token.content, flags=re.DOTALL)
        elif token.type in ("fence", "colon_fence"):
            yield directive_prose(token)


def directive_prose(token):
    """The words of a directive: its title and its body, without its options; nothing of a block of code."""
    directive = re.match(r"\{([\w:.-]+)\}(.*)", token.info.strip())
    if directive is None:
        return prose(token.content) if token.type == "colon_fence" else ""
    name, title = directive.groups()
    body = re.sub(r"\A(?:---\n(?s:.*?)\n---\n|(?::[\w-]+:.*(?:\n|\Z))+)", "", token.content)
    if name in ("figure", "image"):  # what follows the name is a file, and the body a caption
        return prose(body)
    return "" if name in CODE_LIKE else prose(f"{title}\n\n{body}")


def alt_text(cell):
    image = cell.metadata.get("mystnb", {}).get("image", {})
    return str(image.get("alt") or "").strip()


def caption(cell):
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    return str(figure.get("caption") or "").strip()


def missing_captions(notebook):
    """Cells with alt text, which draw, but without a caption: such a figure has no number."""
    return [
        f"{where(cell)} draws: say what the figure shows and how to read it in its metadata.mystnb.figure.caption"
        for cell in cells(notebook, "code")
        if alt_text(cell) and not caption(cell).endswith(".")
    ]


def missing_alt(notebook):
    """Cells that draw, without alt text."""
    return [
        f"{where(cell)} draws: say what the figure shows in its metadata.mystnb.image.alt, or tag it no-figure"
        for cell in cells(notebook, "code")
        if DRAWS.search(cell.source) and "no-figure" not in cell.metadata.get("tags", []) and not alt_text(cell)
    ]


def wide_sources(notebook):
    """Lines of the package's source, as `source(...)` shows it, that do not fit the column."""
    trees = [ast.parse(MAGIC.sub(r"\1pass", cell.source)) for cell in cells(notebook, "code")]
    imports = [node for tree in trees for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {}
    exec(compile(ast.Module(imports, type_ignores=[]), "the notebook's imports", "exec"), names)
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        f"{ast.unparse(call)} shows {len(line)} characters, {COLUMNS} fit: {line.strip()}"
        for call in calls
        if ast.unparse(call.func).rpartition(".")[2] == "source"
        for line in shown_by(call, names).splitlines()
        if len(line) > COLUMNS
    ]


def shown_by(call, names):
    """The text that a call of `source` shows: the same arguments, given to what `source` itself asks."""
    asked = ast.Call(ast.Name("shown_source", ast.Load()), call.args, call.keywords)
    return eval(ast.unparse(asked), names | {"shown_source": pages.shown_source})


def wrong_sections(notebook):
    """A chapter's head and foot, in order, with their parts."""
    parts = sections(notebook)
    titles = [title for title, _ in parts]
    wanted = HEAD + FOOT
    if [title for title in titles if title in wanted] != wanted:
        return [f"its headings must include, once and in this order: {', '.join(wanted)}; it has {', '.join(titles)}"]
    text = dict(parts)
    between = parts[titles.index(HEAD[-1]) + 1 : titles.index(FOOT[0])]
    checks = {
        "one title, a level-1 heading, and it comes first": titles[0] not in wanted and len(level_1(notebook)) == 1,
        "sections of its own between head and foot": len(between) > 0,
        "an equation ($$...$$) in them": any("$$" in body for _, body in between),
        "code that can be seen in them": any(CODE in body for _, body in between),
        "a box (a directive) in Take-away": bool(re.search(r"^[`:]{3,}\{", text["Take-away"], re.M)),
        "folded solutions (dropdown) in Exercises": "dropdown" in text["Exercises"],
        "a citation ({cite...}) in Further reading": "{cite" in text["Further reading"],
        "nothing after Further reading": titles[-1] == FOOT[-1],
    }
    return [f"a chapter must have {what}" for what, there in checks.items() if not there]


def sections(notebook):
    """(heading, all that follows up to the next heading) in order; code is marked, fenced text is no heading."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            hidden = {"remove-input", "remove-cell", "hide-input"} & set(cell.metadata.get("tags", []))
            if parts and cell.cell_type == "code" and not hidden:
                parts[-1].append(CODE)
            continue
        fence = None
        for line in cell.source.splitlines():
            mark = re.match(r"\s*(`{3,}|:{3,}|~{3,})", line)
            if mark and fence is None:
                fence = mark[1]
            elif mark and line.strip() == fence:
                fence = None
            heading = re.match(r"(#+)\s+(.*?)\s*$", line)
            if heading and fence is None:
                parts.append([heading[2]])
            elif parts:
                parts[-1].append(line)
    return [(part[0], "\n".join(part[1:])) for part in parts]


def level_1(notebook):
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    return re.findall(r"^#\s", re.sub(r"^(`{3,}|:{3,}).*?^\1\s*$", "", text, flags=re.M | re.S), re.M)


# --- on the book ------------------------------------------------------------------------------------------------------

EACH = [bad_state, typed_numbers, missing_alt, missing_captions, wide_sources]
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@EVERY
@pytest.mark.parametrize("check", EACH, ids=lambda check: check.__name__)
def test_notebook(path, check):
    complaints = check(read(path))
    assert not complaints, f"{path.name}:\n" + "\n".join(complaints)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_has_its_sections(path):
    complaints = wrong_sections(read(path))
    assert not complaints, f"{path.name}:\n" + "\n".join(complaints)


def test_every_notebook_is_in_the_table_of_contents():
    """A notebook that is not there is never executed."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"(?:file|root): *(\S+)", toc))
    missing = [path.name for path in NOTEBOOKS if f"book/{path.stem}" not in listed]
    assert NOTEBOOKS and not missing, f"not in _toc.yml: {missing}"


def test_the_sidebar_counts_chapters_as_their_files_do():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    numbered = [Path(entry["file"]).name for part in parts if "numbered" in part for entry in part["chapters"]]
    assert [int(name[:2]) for name in numbered] == list(range(1, len(CHAPTERS) + 1))


def test_the_prose_is_read_as_the_book_reads_it():
    parse = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["parse"]
    assert set(parse["myst_enable_extensions"]) == EXTENSIONS


# --- each check can fail ----------------------------------------------------------------------------------------------


def notebook_of(*of_cells, **metadata):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=list(of_cells), metadata={"kernelspec": kernel} | metadata)


def markdown(text, *numbers):
    return notebook_of(new_markdown_cell(text), latent_dynamics={"numbers": list(numbers)})


def test_a_clean_notebook_passes():
    clean = notebook_of(new_markdown_cell("# Title"), new_code_cell("1 + 1"))
    assert [check(clean) for check in EACH] == [[]] * len(EACH)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bad: bad.cells[1].update(outputs=[new_output("stream", text="2")]),
        lambda bad: bad.cells[1].update(execution_count=3),
        lambda bad: bad.cells[1].metadata.update(execution={"iopub.status.busy": "now"}),
        lambda bad: bad.metadata.update(widgets={"state": {}}),
        lambda bad: bad.metadata.pop("kernelspec"),
        lambda bad: bad.cells[1].update(id=bad.cells[0].id),
        lambda bad: bad.update(nbformat_minor=4),
        lambda bad: bad.cells[1].pop("source"),
    ],
    ids=["outputs", "count", "timing", "widgets", "kernel", "ids", "old", "invalid"],
)
@pytest.mark.filterwarnings("ignore")
def test_bad_state_is_found(spoil):
    bad = notebook_of(new_markdown_cell("# Title"), new_code_cell("1 + 1"))
    spoil(bad)
    assert bad_state(bad)


@pytest.mark.parametrize(
    "text",
    [
        "It drifts by 5.2 degrees.",
        "# The 12 steps",
        "- a list of 8,000 frames",
        "*only 3* of **4**",
        "| a |\n|---|\n| 17 |",
        "```{admonition} It lasts 9 steps\ntext\n```",
        "```{admonition} Take-away\n:class: tip\nIt lasts 9 steps.\n```",
        "::::{grid}\n:::{card}\nIt lasts 9 steps.\n:::\n::::",
        "```{figure} a.png\n:alt: x\n\nAfter 20 steps.\n```",
        "<b>41</b> steps",
        "an 8-dimensional latent",
        "> quoted: 7",
    ],
)
def test_a_typed_number_is_found(text):
    assert typed_numbers(markdown(text))


@pytest.mark.parametrize(
    "text",
    [
        "no number at all, four words",
        "maths $x_1 = 2$ and $$y = 3$$ inline\n\n$$\nz = 4\n$$ (eq:5)\n",
        "\\begin{align}a &= 1\\end{align}",
        "code `x[0]` and\n```python\ny = 1\n```\n```{code-block} python\nz = 3\n```",
        "    indented = 4",
        "{cite:t}`ha2018` and {cite}`a2020,b2021`, {numref}`fig-1`, {eq}`eq:1`",
        "[chapter 6](06_drift_analysis.ipynb), [](#target-3), <https://x.org/1>",
        "(target-4)=\n# Heading",
        "<!-- 1 comment -->\n\ntext <!-- 2 --> text\n\n% 3 too",
        "1. first\n2. second",
        "CartPole-v1 in float32, K5 and z2",
        '<span class="x1">word</span>',
        "```{figure} a1.png\n:width: 80%\n:alt: x\n\nA caption.\n```",
        "```{admonition} Title\n:class: tip2\n\ntext\n```",
        "```{math}\nx = 1\n```",
    ],
)
def test_digits_outside_prose_are_no_numbers(text):
    assert typed_numbers(markdown(text)) == []


def test_the_allow_list_allows_exactly_what_it_names():
    assert typed_numbers(markdown("V-JEPA 2 and 8,000 frames, K = 10.", "V-JEPA 2", "8,000", "10")) == []
    for text in ("50 steps", "5.5 steps", "0.5 steps", "1,5 steps"):
        assert typed_numbers(markdown(text, "5"))
    assert typed_numbers(markdown("2 models", "V-JEPA 2"))


def test_a_figure_without_alt_text_is_found():
    for source in ("plt.show()", "ld.plotting.film_strip(x)", "axis.plot(x)"):
        assert missing_alt(notebook_of(new_code_cell(source)))
        assert missing_alt(notebook_of(new_code_cell(source, metadata={"mystnb": {"image": {"alt": " "}}})))
        assert not missing_alt(notebook_of(new_code_cell(source, metadata={"mystnb": {"image": {"alt": "A curve"}}})))
        assert not missing_alt(notebook_of(new_code_cell(source, metadata={"tags": ["no-figure"]})))
    assert not missing_alt(notebook_of(new_code_cell("import matplotlib.pyplot as plt")))
    typed = notebook_of(new_code_cell("plt.show()", metadata={"mystnb": {"image": {"alt": "It rises to 4 degrees"}}}))
    assert typed_numbers(typed)


def test_a_figure_without_a_caption_is_found():
    drawn = {"image": {"alt": "A curve"}}
    for figure in ({}, {"caption": ""}, {"caption": "no sentence"}):
        bad = new_code_cell("plt.show()", metadata={"mystnb": drawn | {"figure": figure}})
        assert missing_captions(notebook_of(bad))
    good = new_code_cell("plt.show()", metadata={"mystnb": drawn | {"figure": {"caption": "It rises."}}})
    assert not missing_captions(notebook_of(good, new_code_cell("1 + 1")))
    good.metadata.mystnb.figure.caption = "It rises to 4 degrees."
    assert typed_numbers(notebook_of(good))


def narrow():
    return "fits"


def wide():
    """Its docstring is not shown, and may be as wide as the package's own lines are, which is wider than the column."""
    return "a line like this one, which has more characters than the column of a page can hold"


def with_wide_docstring():
    """Its docstring is wider than the column, which does not matter unless the page shows it."""
    return "fits"


@pytest.mark.parametrize(
    "shows, lines",
    [
        ("source(shown.narrow)", 0),
        ("source(shown.wide)", 1),
        ("pages.source(shown.wide, docstring=True)", 2),
        ("source(shown.with_wide_docstring)", 0),
        ("source(shown.with_wide_docstring, True)", 1),
        ("for _ in [0]:\n    %time source(shown.wide)\n    source(shown.wide)\nsource(shown.narrow)", 1),
        ("more = 1 / 0  # only imports are executed\nsource(shown.wide); source(shown.wide)", 2),
    ],
)
def test_a_source_wider_than_the_column_is_found(shows, lines):
    first = new_code_cell(f"%matplotlib inline\nimport {__name__} as shown")
    assert len(wide_sources(notebook_of(first, new_code_cell(shows)))) == lines


GOOD_CHAPTER = {
    "Title": "",
    "What you will learn": "a", "What you need": "b", "Run time": "c", "Predict first": "?",
    "An idea": "$$x$$\n```\n# no heading\n```",
    "What can go wrong": "d",
    "Take-away": "```{admonition} Take-away\ntext\n```",
    "Exercises": "```{admonition} Solution\n:class: dropdown\n# of course\n```",
    "Further reading": "{cite:t}`a`",
}  # fmt: skip


def chapter(parts):
    found = notebook_of()
    for number, (title, text) in enumerate(parts.items()):
        found.cells.append(new_markdown_cell(f"{'##' if number else '#'} {title}\n{text}"))
        if title == "An idea":
            found.cells.append(new_code_cell("x = 1"))
    return found


def test_a_chapter_in_order_passes():
    assert wrong_sections(chapter(GOOD_CHAPTER)) == []


@pytest.mark.parametrize("title", list(GOOD_CHAPTER))
def test_a_missing_section_is_found(title):
    assert wrong_sections(chapter({name: text for name, text in GOOD_CHAPTER.items() if name != title}))


@pytest.mark.parametrize("title", ["An idea", "Take-away", "Exercises", "Further reading"])
def test_an_empty_section_is_found(title):
    assert wrong_sections(chapter(GOOD_CHAPTER | {title: "text"}))


def test_sections_out_of_order_are_found():
    assert wrong_sections(chapter(dict(reversed(GOOD_CHAPTER.items()))))
    assert wrong_sections(chapter(GOOD_CHAPTER | {"One more thing": ""}))
