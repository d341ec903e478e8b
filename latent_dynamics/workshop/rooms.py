"""The rooms of the package and what they take from each other: the drawing in CONTRIBUTING, made from the imports.

`python -m latent_dynamics rooms` draws it again. A test holds it to the code, and the imports to the rooms' order.
"""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
ROOMS = {  # in the order in which data flow; a room takes from itself and from rooms above it
    "world": "what is true",
    "data": "episodes and windows",
    "models": "the rungs, and what trains them",
    "acting": "controllers and games",
    "keeping": "what was expensive to make",
    "judging": "what a model is worth",
    "showing": "what a reader sees and touches",
    "workshop": "builds, tests, measures",
}


def imports(path, package=PACKAGE):
    """Return the modules of the package that a file imports, anywhere in it: {("world", "reader"), ...}."""
    where = path.relative_to(package).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = where[: len(where) - node.level]
        elif node.module and node.module.split(".")[0] == package.name:
            base = ()
        else:
            continue
        named = tuple((node.module or "").split(".")) if node.module else ()
        target = (*base, *(named if node.level else named[1:]))
        for name in node.names:
            deeper = (*target, name.name)
            is_module = (package.joinpath(*deeper).with_suffix(".py")).exists() or package.joinpath(*deeper).is_dir()
            found.add(deeper if is_module else target)
    return {one for one in found if one}


def between_rooms(package=PACKAGE):
    """Return who takes from whom, and how often: {(giver, taker): number of files that take}."""
    counts = defaultdict(int)
    for room in ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            for giver in {target[0] for target in imports(path, package)} - {room}:
                counts[giver, room] += 1
    return dict(counts)


def upward(package=PACKAGE):
    """Return the imports that go against the order, a sentence each; there should be none."""
    order = list(ROOMS)
    return [
        f"{taker}/ takes from {giver}/, which is below it"
        for giver, taker in between_rooms(package)
        if giver not in order or order.index(giver) > order.index(taker)
    ]


def drawing(package=PACKAGE):
    """Return the rooms as an SVG: one below the other, an arrow from each giver to each taker."""
    arrows, order = between_rooms(package), list(ROOMS)
    row, left, width, height = 62, 330, 300, 40
    middle = {room: 34 + row * n for n, room in enumerate(order)}
    parts = []
    for room, says in ROOMS.items():
        y = middle[room]
        files = sum(1 for path in (package / room).rglob("*.py") if path.name != "__init__.py")
        parts.append(
            f'<rect x="{left}" y="{y - height / 2:.0f}" width="{width}" height="{height}" rx="6" class="room"/>'
            f'<text x="{left + 12}" y="{y - 2}" class="name">{room}/</text>'
            f'<text x="{left + width - 12}" y="{y - 2}" class="count">{files} files</text>'
            f'<text x="{left + 12}" y="{y + 13}" class="says">{says}</text>'
        )
    for (giver, taker), count in sorted(arrows.items(), key=lambda arrow: [order.index(room) for room in arrow[0]]):
        first, last = order.index(giver), order.index(taker)
        begin, end = middle[giver] + 8, middle[taker] - 8
        side = 1 if (first + last) % 2 else -1
        edge = left + width if side > 0 else left
        reach = edge + side * 38 * abs(last - first)
        parts.append(
            f'<path d="M{edge} {begin} C{reach} {begin} {reach} {end} {edge + side * 7} {end}" class="arrow" '
            f'stroke-width="{min(4, 0.8 + 0.25 * count):.2f}" marker-end="url(#head)">'
            f"<title>{taker} takes from {giver}, in {count} files</title></path>"
        )
    total = 34 + row * len(order)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {total}" role="img" '
        'aria-label="Eight rooms, one below the other; every arrow leads from a room to one below it.">\n'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto" '
        'markerUnits="userSpaceOnUse"><path d="M0 0 8 4 0 8z" fill="#0072B2"/></marker></defs>\n'
        "<style>.room{fill:#f3f6fa;stroke:#57606a}.arrow{fill:none;stroke:#0072B2;stroke-opacity:.75}"
        "text{font-family:sans-serif;fill:#1b1f24}.name{font-size:15px;font-weight:bold}.says{font-size:12px}"
        ".count{font-size:12px;text-anchor:end}</style>\n"
        f'<rect width="960" height="{total}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
