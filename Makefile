# Everything sets itself up: Python 3.11 or newer with pip, make and git are all it takes.

# The first Python on PATH that is new enough; override with PYTHON=….
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
VENV   := .venv
BIN    := $(VENV)/bin
# Debian ships pip and venv apart: where venv brings no pip, the machine's own installs into it.
PIP    := $$($(BIN)/python -m pip --version >/dev/null 2>&1 && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
# Nothing comes from a network but what a lock names, file by file.
LOCKED := $(PIP) --quiet --disable-pip-version-check install --require-hashes --requirement
# One answer for every Python from 3.11 and every system. Hashes, but no addresses: those are a matter of the machine.
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make lock'

# Arguments that only some invocations need: `make demo KEEP=1`, `make test ARGS='-k fork'`.
KEEP ?=
ARGS ?=
# Many tests wait for a server or a database: four of them keep two cores busy.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 2) * 2)')
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --durations=10
# One long walk instead of all ten: `make simulate SEED=7 MOVES=500`; in one repository alone: ONLY=hexes.
SEED ?=
MOVES ?= 500
ONLY ?=
# `make chaos KILLS=60 ENGINE=postgresql SEED=7`; each engine in turn where none is named.
KILLS ?= 500
ENGINE ?=
VERSION ?=
DRY ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup test test-all test-floor coverage lint docs demo diagrams gallery bench simulate chaos fuzz lock dist release clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## create .venv with everything needed

$(VENV)/.ready: pyproject.toml requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found on PATH. Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@command -v git >/dev/null || { echo "Git was not found on PATH. Install git 2.38 or newer." >&2; exit 1; }
	@echo "Setting up $(VENV), once and after a change of pyproject.toml or a lock: less than a minute, and 195 MB to download."
	@echo "1/3 Making $(VENV) with $$($(PYTHON) --version) …"
	@test "$$($(BIN)/python --version 2>&1)" = "$$($(PYTHON) --version)" || \
		$(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@echo "2/3 Installing the $$(grep -c == requirements-dev.lock) packages of requirements-dev.lock …"
	@$(LOCKED) requirements-dev.lock
	@echo "3/3 Installing onehead itself …"
	@$(PIP) --quiet --disable-pip-version-check install --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Set up."

test: $(VENV)/.ready ## run what a commit needs, in a few minutes (ARGS='-k fork' for some)
	$(PYTEST) -m 'not slow' --hypothesis-profile=quick $(ARGS)

test-all: $(VENV)/.ready ## run every test: real databases, verify and short walks too (ARGS='-m slow' for those alone)
	$(PYTEST) $(ARGS)

# The rooms that meet other people's packages. Laid over those of the set-up, which bring what tests need beside them.
FLOOR := tests/databases tests/forge tests/reports tests/revisions tests/verify
test-floor: $(VENV)/.ready ## run tests with the oldest packages that pyproject.toml allows, Alembic 1.16.5 among them (ARGS=tests/service)
	@rm -rf $(VENV)/floor
	@$(BIN)/uv pip install --quiet --require-hashes --no-deps --target $(VENV)/floor --requirement requirements-floor.lock
	PYTHONPATH=$(VENV)/floor $(PYTEST) -m 'not slow' --hypothesis-profile=quick $(or $(ARGS),$(FLOOR))

coverage: $(VENV)/.ready ## say which lines no test reaches, in processes that tests start too (ARGS=tests/plan for some; slow)
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses=$(WORKERS) --dist=worksteal $(ARGS)
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/.ready ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --explicit-package-bases --namespace-packages bot tests docs deploy $(if $(wildcard benchmarks/*.py),benchmarks)

# What builds the site is 90 MB, and nothing else needs it.
docs: $(VENV)/.ready ## build the site of the documentation into site/, and check its links
	@$(LOCKED) requirements-docs.lock
	@$(BIN)/python -m docs.generated
	@$(BIN)/python -m docs.site site

demo: $(VENV)/.ready ## show the main job; KEEP=1 leaves the servers running until Ctrl-C
	@$(BIN)/python -m tests.demo $(if $(KEEP),--keep)

diagrams: $(VENV)/.ready ## draw the diagrams of the documentation again, into docs/images
	@$(BIN)/python -m tests.diagrams

gallery: $(VENV)/.ready ## take the pictures of docs/gallery.md again (needs Chromium, and a Forgejo in ONEHEAD_TEST_FORGEJO; five minutes)
	$(BIN)/python -m pytest tests/stories/gallery.py

bench: $(VENV)/.ready ## measure check and pre-receive (takes minutes; best on a quiet machine)
	$(BIN)/python -m benchmarks.check
	$(BIN)/python -m benchmarks.pre_receive

simulate: $(VENV)/.ready ## walk at random for a simulated month, ten seeds (SEED=7 MOVES=500 ONLY=hexes for one; takes an hour)
	$(BIN)/python -m tests.simulation --moves $(MOVES) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

chaos: $(VENV)/.ready ## kill real processes 500 times on either engine (KILLS=60 ENGINE=postgresql SEED=7; takes an hour)
	$(BIN)/python -W ignore -m tests.chaos --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)

# The fuzzer has wheels for Linux on x86-64 only, so it is no part of the set-up.
fuzz: $(VENV)/.ready ## hand 100,000 hostile inputs to each reader (ARGS='sql --runs 1000' for some; takes half an hour)
	@$(LOCKED) requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz $(ARGS)

# The first lock decides; the others hold a part of it, or some packages more. The last one has the floors.
lock: $(VENV)/.ready ## renew the locks: the newest releases that pyproject.toml allows
	$(LOCK) --upgrade --group dev pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock --extra postgres pyproject.toml --output-file requirements.lock
	$(LOCK) --constraint requirements-dev.lock --group build --output-file requirements-build.lock
	$(LOCK) --upgrade --constraint requirements-dev.lock --group docs --output-file requirements-docs.lock
	$(LOCK) --upgrade --constraint requirements-dev.lock --group fuzz --output-file requirements-fuzz.lock
	$(LOCK) --upgrade --constraint requirements-dev.lock --group release --output-file requirements-release.lock
	$(LOCK) --upgrade --resolution lowest-direct --all-extras pyproject.toml --output-file requirements-floor.lock

# What only a release needs is no part of the set-up either.
dist: $(VENV)/.ready ## build the wheel and the sdist of HEAD twice, compare, check and try them (RELEASE_URL=https://… for links)
	@$(LOCKED) requirements-release.lock --quiet
	$(BIN)/python -m deploy.release dist

release: $(VENV)/.ready ## rehearse a release (VERSION=0.2.0; DRY=0 runs the tests and makes commit and tag; publishes nothing)
	@test -n "$(VERSION)" || { echo "Which version? Such as: make release VERSION=0.2.0" >&2; exit 1; }
	@$(LOCKED) requirements-release.lock --quiet
	$(BIN)/python -m deploy.release $(if $(filter 0,$(DRY)),tag,rehearse) $(VERSION) $(ARGS)

clean: ## remove what setup and the demo made
	rm -rf $(VENV) dist demo-out fuzz-out site .coverage*
