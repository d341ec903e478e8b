# Each target makes the environment where there is none, then calls one tool or `python -m latent_dynamics`, which is the
# whole command: on Windows, or in an environment of your own, call that directly.
#   make book PYTHON=/path/to/python3.12     to choose the Python that .venv is made with

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
PYTHON ?=
READY := $(VENV)/.installed

.PHONY: help book test test-all lab serve train ladder bench clean
.DEFAULT_GOAL := help

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

book: $(READY) ## execute every chapter, build the book, print its address
	$(PY) -m latent_dynamics book

test: $(READY) ## lint, unit tests, notebooks, book, claims, browser
	$(PY) -m latent_dynamics test

test-all: $(READY) ## the same, and the long tests
	$(PY) -m latent_dynamics test-all

lab: $(READY) ## open the chapters in JupyterLab
	$(PY) -m latent_dynamics lab

serve: $(READY) ## serve the built book on this machine
	$(PY) -m latent_dynamics serve

train: $(READY) ## train every rung and seed from nothing, and write what travels with the package
	$(PY) -m latent_dynamics train

ladder: $(READY) ## print what each rung of the ladder is worth
	$(PY) -m latent_dynamics ladder

bench: $(READY) ## measure speed and memory
	$(PY) -m latent_dynamics bench

clean: $(PY) ## remove the built book (data and models stay: see `clean --help`)
	$(PY) -m latent_dynamics clean

# Made again when what to install changes; touched last, so that a broken installation is tried again.
$(READY): pyproject.toml constraints.txt | $(PY)
	@if test "$$($(PY) -c 'import platform; print(platform.system(), platform.machine())')" = "Darwin x86_64"; then \
	  echo "PyTorch has made nothing for Intel Macs since 2.2, and the book needs 2.5: this Python cannot install it." >&2; \
	  echo "On Apple silicon, take a Python of its own kind: rm -rf $(VENV); make book PYTHON=/path/to/python3.12" >&2; \
	  echo "On an Intel Mac, README.md says what works all the same (Installing by hand)." >&2; exit 1; fi
	$(PY) -m pip install -c constraints.txt -e ".[book,test]"
	@touch $@

$(PY):
	@for python in "$(PYTHON)" python3.11 python3.12 python3.13 python3 python; do \
	  test -n "$$python" || continue; \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 || continue; \
	  if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	    echo "$$python has no venv module (Debian and Ubuntu: apt install python3-venv); looking further." >&2; continue; fi; \
	  echo "Making $(VENV) with $$python"; \
	  "$$python" -m venv $(VENV) && exit 0; \
	  rm -rf $(VENV); exit 1; \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 with its venv module was found. Install one, or name it: make book PYTHON=/path/to/python" >&2; \
	exit 1
