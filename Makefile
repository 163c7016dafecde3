# Everything a newcomer needs: make demo, make test. `make` alone prints this list.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PACKAGES := packages/inchworm packages/meshwire packages/hopscope
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install dev demo test check lock clean

help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) tools/check_python.py
	$(PYTHON) -m venv $(VENV)

# The packages come from this tree with --no-deps and no build isolation, so that no stranger's
# package of the same name can slip in; their dependencies are the hash-checked ones.
$(VENV)/.installed: requirements/runtime.txt $(PACKAGES:%=%/pyproject.toml) | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.installed
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/.installed ## make .venv with the commands hopscope, inchworm, meshwire

dev: $(VENV)/.dev

demo: install ## serve the app with generated traffic on http://127.0.0.1:8080
	@exec $(BIN)/hopscope demo

test: dev ## run the whole test suite (HOPSCOPE_APT=1 installs mosquitto, chromium, postgresql)
	@$(BIN)/python tools/test_services.py
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(PYTEST_ARGS)

check: dev ## ruff, mypy --strict, import contracts, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_docs.py

lock: ## make requirements/*.txt anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q requirements/runtime.in -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q -c requirements/runtime.txt requirements/dev.in -o requirements/dev.txt

clean: ## remove .venv and caches; the database under data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
