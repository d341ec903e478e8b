"""Which code makes which artifact, and a fingerprint of it that comments, docstrings and layout do not change.

After a change, raise the recipe's number in artifacts.RECIPES, unless the change cannot alter a byte of what is made;
then record it: python -m tests.recipes
"""

import ast
import hashlib
import json
from pathlib import Path

from latent_dynamics import ladder
from latent_dynamics.keeping.artifacts import RECIPES

PACKAGE = Path(__file__).parent.parent / "latent_dynamics"
RECORD = Path(__file__).with_name("recipes.json")
EVERYTHING = None
LEARNING = {"training.py": ["seeded", "train", "average"]}
TEACHING = ["_untrained", "_taught"]
LATENT = {"models/latent_world.py": EVERYTHING, "artifacts.py": TEACHING}
CODE = {  # recipe: {file: names defined in it}
    "episodes": {
        "cartpole.py": [
            "ENVIRONMENT", "make", "Screen", "sign_theta_and_velocity", "random_actions", "RandomPolicy", "NoisyExpert",
            "POLICIES",
        ],
        "preprocessing.py": ["SCREEN", "GRAY", "View", "DEFAULT", "to_bytes"],
        "collection.py": ["play_episode", "collect"],
    },
    "frames": {
        "cartpole.py": ["ENVIRONMENT", "make", "Screen"],
        "preprocessing.py": ["SCREEN", "View", "COLOUR", "RAW", "to_bytes"],
        "collection.py": ["draw", "_draw_some"],
        "artifacts.py": ["VIEWS", "drawn"],
    },
    "autoencoder": LEARNING | {
        "models/autoencoder.py": EVERYTHING,
        "preprocessing.py": ["from_bytes"],
        "artifacts.py": ["AutoencoderSettings", "frames_of", "examples", "load_autoencoder"],
    },
    "autoencoder_mlp": LEARNING | {
        "models/autoencoder_mlp.py": EVERYTHING,
        "artifacts.py": TEACHING,
    },
    "two_frame": LEARNING | LATENT | {"models/two_frame.py": EVERYTHING},
    "multi_step": LEARNING | LATENT | {"models/two_frame.py": EVERYTHING, "models/multi_step.py": EVERYTHING},
    "noise_robust": LEARNING | LATENT | {"models/two_frame.py": EVERYTHING, "models/noise_robust.py": EVERYTHING},
    "recurrent": LEARNING | LATENT | {"models/recurrent.py": EVERYTHING},
    "ladder": {
        "drift.py": EVERYTHING,
        "reader.py": EVERYTHING,
        "rollout.py": EVERYTHING,
        "references.py": EVERYTHING,
        "controllers.py": EVERYTHING,
        "ladder.py": [
            "HORIZONS", "NOISES", "EXPERIMENTS", "REFERENCES", "measure", "measure_reference", "_actions_only",
            "windows", "played", "cost", "_measure",
        ],
    },
    "best": LEARNING | {
        "models/position_velocity.py": EVERYTHING,
        "models/latent_world.py": ["code_windows"],
        "artifacts.py": TEACHING,
    },
}  # fmt: skip


def read(file):
    """The source of one of the package's files."""
    return (PACKAGE / file).read_text(encoding="utf8")


def fingerprint(recipe, read=read):
    """The sha256 of the code that makes a recipe's artifacts."""
    parts = [[file, _chosen(ast.parse(read(file)), names, file)] for file, names in sorted(CODE[recipe].items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def now():
    """What ought to be recorded: {recipe: {number, fingerprint}}."""
    numbers = RECIPES | {"ladder": ladder.RECIPE}
    return {recipe: {"number": numbers[recipe], "fingerprint": fingerprint(recipe)} for recipe in sorted(numbers)}


def complaints(recorded, current):
    """What is wrong with the record, a sentence a recipe; nothing if it fits."""
    found = []
    for recipe in sorted(recorded.keys() | current.keys()):
        before, after = recorded.get(recipe), current.get(recipe)
        if before == after:
            continue
        if before and after and before["number"] == after["number"]:
            found.append(
                f"{recipe}: the code that makes it changed, the number in artifacts.RECIPES is still {after['number']}."
                " Raise the number, so that kept files are made again, unless the change cannot alter a byte of them; "
                "then record it: python -m tests.recipes"
            )
        else:
            found.append(f"{recipe}: its number is new. Record it: python -m tests.recipes")
    return found


def _chosen(tree, names, file):
    """The shapes of a module's chosen top-level definitions, in the order of the file."""
    if names is EVERYTHING:
        return [_shape(node) for node in _without_docstring(tree.body)]
    found = [node for node in tree.body if _defines(node) & set(names)]
    missing = set(names) - set().union(*map(_defines, found))
    if missing:
        raise LookupError(f"{file} no longer defines {', '.join(sorted(missing))}; say in tests/recipes.py what does")
    return [_shape(node) for node in found]


def _defines(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets = getattr(node, "targets", [getattr(node, "target", None)])  # of = and |=
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _shape(node):
    """A syntax tree as nested lists, without docstrings; unlike ast.dump, alike in all versions of Python."""
    if isinstance(node, list):
        return [_shape(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        fields["body"] = _without_docstring(fields["body"])
    return [type(node).__name__, *([name, _shape(value)] for name, value in fields.items())]


def _without_docstring(body):
    first = body[0] if body else None
    text = first.value if isinstance(first, ast.Expr) else None
    return body[1:] if isinstance(text, ast.Constant) and isinstance(text.value, str) else body


if __name__ == "__main__":
    RECORD.write_text(json.dumps(now(), indent=2) + "\n", encoding="utf8")
    print(f"Recorded {', '.join(now())} in {RECORD}")
