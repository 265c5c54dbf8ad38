# `make` alone lists the targets. PYTHON=… chooses the interpreter of a new .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := build/demo
COUNT ?= 1000000
JOBS ?= 2
SEED ?= 0

.DELETE_ON_ERROR:
.PHONY: help env demo test test-all check format docs bench accuracy parity fuzz clean

help: ## list the targets (the default)
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	    | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

env: $(STAMP) ## make .venv, with archdsl and all that its tests and checks need

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("archdsl needs Python 3.11 or newer, " \
	    "not this one: try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); the first time takes minutes."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[torch,plot,test,dev]'
	@touch $@

demo: env ## compile, analyse and draw Swin-T, then run what was compiled
	@mkdir -p $(DEMO)
	$(BIN)/archdsl compile specs/swin_t.arch -o $(DEMO)/swin_t.py
	$(BIN)/archdsl analyze specs/swin_t.arch
	$(BIN)/archdsl draw specs/swin_t.arch -o $(DEMO)/swin_t.svg
	$(BIN)/archdsl draw specs/swin_t.arch -o $(DEMO)/swin_t.png
	$(BIN)/python examples/demo.py $(DEMO)/swin_t.py

test: env ## run the tests, without the slow ones
	$(BIN)/pytest

test-all: env ## run every test, with more examples
	ARCHDSL_TEST=all $(BIN)/pytest -m ""

check: env ## lint, formatting, types, and which way imports point
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: env ## format the Python code and mend what ruff can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: env ## write the pages and pictures that are generated
	$(BIN)/python -m docs.generate

bench: env accuracy ## measure time, memory, the front end, and other counters
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/frontend.py
	$(BIN)/python benchmarks/fields.py

accuracy: env ## hold today's counters against the exact costs: docs/accuracy.md
	$(BIN)/python benchmarks/accuracy.py

parity: env ## hold every system against its reference at full size: docs/systems.md
	$(BIN)/python -m tests.parity --report docs/systems.md

fuzz: env ## judge COUNT random inputs (SEED, JOBS; REPORT=page to write the table)
	$(BIN)/python -m tests.fuzz --count $(COUNT) --jobs $(JOBS) --seed $(SEED) \
	    $(if $(REPORT),--report $(REPORT))

clean: ## remove what was built and cached (.venv stays)
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find archdsl tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
