"""Where the book's repository is: found when the book is built, since no file of a clone knows where that comes from.

What counts is the first of: repository.url in _config.yml, GitHub's own environment, git's `origin`. Only an address at
GitHub is one, which Binder, Colab and the pages' own address need; without it there are no buttons for any of them.
"""

import os
import re
import subprocess
from pathlib import Path

REMOTE = re.compile(r"(?:https://(?:[^@/]+@)?|git@|ssh://git@)github\.com[:/]([\w-]+/[\w.-]+?)(?:\.git)?/?")
BLANK = 'REPOSITORY = \\"\\"'  # in the first cell of a notebook, as JSON


def web_address(remote):
    """The page of a repository, by any of its addresses; nothing for one that is elsewhere, such as on a disk."""
    found = REMOTE.fullmatch(remote.strip())
    return f"https://github.com/{found[1]}" if found else ""


def origin(root):
    """What git calls `origin` in this folder; nothing where it is no clone, or there is no git."""
    try:
        asked = subprocess.run(["git", "remote", "get-url", "origin"], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    return asked.stdout


def find(root, given=""):
    """The address of the repository that the book in this folder is built from, or nothing."""
    server, name = (os.environ.get(f"GITHUB_{word}", "") for word in ("SERVER_URL", "REPOSITORY"))
    return next(filter(None, map(web_address, (given, f"{server}/{name}", origin(root)))), "")


def tell_the_theme(app, config):
    """Set the theme's options by the address."""
    options = config.html_theme_options
    options["repository_url"] = address = find(app.srcdir, options.get("repository_url", ""))
    options["use_repository_button"] = options["use_issues_button"] = bool(address)
    if not address:
        options.pop("launch_buttons", None)


def tell_the_notebooks(app, exception):
    """Write the address into the notebooks that readers download, for whoever takes one to Colab."""
    address = app.config.html_theme_options["repository_url"]
    if exception or app.builder.format != "html" or not address:
        return
    for path in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        text = path.read_text(encoding="utf8")
        path.write_text(text.replace(BLANK, BLANK.replace('\\"\\"', f'\\"{address}\\"'), 1), encoding="utf8")


def setup(app):
    """Register with Sphinx, before site_files.py asks for the address."""
    app.connect("config-inited", tell_the_theme, priority=850)
    app.connect("build-finished", tell_the_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
