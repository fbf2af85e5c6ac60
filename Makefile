# Each target sets up what it needs: `make run` the core, the others everything.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test lint format bench soak clean

run: .venv/core
	$(BIN)/genrescope serve

test: .venv/dev
	$(BIN)/pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench
	$(BIN)/python -m benchmarks $(BENCH)

clean:
	rm -rf .venv

$(BIN)/pip:
	$(PYTHON) -m venv .venv

.venv/core: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP) --editable .
	touch $@

.venv/dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP) torch
	$(PIP) --editable '.[train,dev]'
	touch $@ .venv/core

.venv/bench: .venv/dev
	$(PIP) --editable '.[bench]'
	touch $@
