# Everything a user or developer does with the project. `make demo` and `make test` each set up all they need.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
KEEP ?=

.PHONY: install demo test check lint types imports test-system docs bench clean

# What the demo, the examples and a server need.
install: .venv/installed

.venv/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rafiki needs Python 3.11 or later; say which with PYTHON=...")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,examples]'
	touch $@

# What the tests and checks need on top.
.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,examples,dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,examples,docs]'
	touch $@

# The main job on real data, from an empty machine to a served ensemble. KEEP=1 leaves the server up.
demo: .venv/installed
	$(BIN)/rafiki demo $(if $(KEEP),--keep)

# Needs nothing but packages from the index. Two at a time, for end-to-end tests mostly wait.
test: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: lint types imports test

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

imports: .venv/installed-dev
	$(BIN)/python -m pytest -q tests/unit/test_imports.py

# Needs system packages: Chromium, bubblewrap, podman and debootstrap, docker.
test-system: .venv/installed-dev
	$(BIN)/python -m pytest tests/system

# The documentation, as pages in docs/_build/html. A link that leads nowhere is an error.
docs: .venv/installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going -n -q docs docs/_build/html

bench: .venv/installed-dev
	$(BIN)/python bench/start.py
	$(BIN)/python bench/datasets.py
	$(BIN)/python bench/environments.py
	$(BIN)/python bench/starters.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache docs/_build
