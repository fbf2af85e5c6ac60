# Each target sets up what it needs: `make run` the core, the others everything.
PYTHON ?= python3
BIN := .venv/bin
AXE := 4.14.1
PIP_AUDIT := 2.10.1
UV := 0.13.9
CYCLONEDX := 7.5.0
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test quick lint format bench soak fuzz audit lock clean

run: .venv/core
	$(BIN)/genrescope serve

# How many processes, tests/conftest.py says; what belongs together stays in one (tests/scheduling.py).
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder

test: .venv/dev
	$(PYTEST)

# All but what is marked slow.
quick: .venv/dev
	$(PYTEST) -m "not slow"

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench
	$(BIN)/python -m benchmarks $(BENCH)

# Everything that is meant to break it, at length; SOAK='--scale 0.02' for a taste.
soak: .venv/dev
	PYTHONPATH=tests $(BIN)/python -m soak $(SOAK)

# Each of our own parsers under Atheris (Linux), so many seconds; what it finds lies in .scratch/fuzz.
FUZZ_S ?= 60
fuzz: .venv/fuzz
	mkdir -p .scratch/fuzz
	for name in $$(PYTHONPATH=tests $(BIN)/python -m fuzzing); do \
	  PYTHONPATH=tests $(BIN)/python -m fuzzing $$name -max_total_time=$(FUZZ_S) -timeout=20 \
	    -rss_limit_mb=2048 -artifact_prefix=.scratch/fuzz/$$name- || exit 1; done

# Known holes in what is installed, as the Python Packaging Advisory Database lists them.
# Strict: what could not be looked up, as without a connection, is a failure and no clean bill.
audit: .venv/audit
	.venv/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

# The hashes of all that the image installs, at the versions of constraints.txt, of what builds the
# wheel, and of what lists the parts of a release.
LOCK := .venv/lock/bin/uv pip compile --quiet --constraint constraints.txt --generate-hashes \
	--universal --python-version 3.11 --custom-compile-command "make lock"
lock: .venv/lock
	$(LOCK) --output-file requirements.lock pyproject.toml
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | $(LOCK) --output-file requirements-build.lock -
	echo cyclonedx-bom==$(CYCLONEDX) | $(LOCK) --output-file requirements-release.lock -

clean:
	rm -rf .venv page/node_modules

$(BIN)/pip:
	$(PYTHON) -m venv .venv

.venv/core: pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Setting up Genrescope in .venv; the first time this takes about a minute.'
	$(PIP) --editable .
	touch $@

.venv/dev: pyproject.toml constraints.txt page/package-lock.json | $(BIN)/pip
	@echo 'Setting up what tests and training need in .venv; the first time this takes some minutes.'
	$(PIP) torch
	$(PIP) --editable '.[train,dev]'
	npm install --silent --no-save --prefix .venv/axe axe-core@$(AXE) \
	  || echo 'The page is not checked for accessibility: that takes npm and a connection.'
	npm ci --silent --prefix page \
	  || echo 'The page without a server is not tested: that takes npm and a connection.'
	touch $@ .venv/core

.venv/audit: | $(BIN)/pip
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check pip-audit==$(PIP_AUDIT) || { rm -r $@; exit 1; }

.venv/lock: | $(BIN)/pip
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check uv==$(UV) || { rm -r $@; exit 1; }

.venv/fuzz: .venv/dev
	$(PIP) --editable '.[fuzz]'
	touch $@

.venv/bench: .venv/dev
	$(PIP) --editable '.[bench]'
	touch $@
