# Two commands: `make verify` and `make test`. Both build .venv first if it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 0
WORKERS := $(if $(filter 0,$(JOBS)),auto,$(JOBS))

.PHONY: verify test lint bench notebooks clean

verify: $(READY)
	$(BIN)/boundcheck verify --jobs $(JOBS) --report report/index.html

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: $(READY)
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=120 notebooks

bench: $(READY)
	$(BIN)/pip install --quiet --editable '.[bench]'
	$(BIN)/boundcheck bench

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "boundcheck needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) .boundcheck report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
