# Two commands matter: `make demo` and `make test`. Both make .venv and install what they need.

PYTHON ?=# a Python of your choice, 3.11 or later; found by scripts/venv.sh when empty
DEMO_SECONDS ?= 20
MINUTES ?= 10
PEERS_PYTHON ?= python3.13
SEEDS ?= 3000
CORES := $(shell nproc 2>/dev/null || echo 2)
JOBS ?= $(shell expr 2 '*' $(CORES))# of `make test`: many tests wait for something

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input --editable

.DEFAULT_GOAL := help
.PHONY: help demo test alone proof real simulate notebooks bench bench-quick guard peers soak warm lint format clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: $(VENV)/.demo ## built-in exchange, engine, pinned reader, live ladders for 20 s, then a verdict
	$(RUN) -m ringbook demo --seconds $(DEMO_SECONDS)

test: lint ## style, types and all tests
	@$(RUN) -m ringbook warm
	$(RUN) -m pytest -q -ra -n $(JOBS) --dist loadfile

alone: $(VENV)/.test ## tests that need every core: the bus under torture, a hostile world, 500 symbols
	@$(RUN) -m ringbook warm
	$(RUN) -m pytest -q -ra -m alone

lint: $(VENV)/.test ## style and types only
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

proof: $(VENV)/.test ## mutants in processes of their own: the proof that the checks see what is broken
	$(RUN) -m pytest -q -ra -m proof

real: $(VENV)/.test ## recorded frames through real sockets, books checked by an independent oracle
	$(RUN) -m tests.real

simulate: $(VENV)/.test ## the whole engine in virtual time against every fault, SEEDS=3000 stories
	@$(RUN) -m ringbook warm
	$(RUN) -m tests.simulation --seeds $(SEEDS) --jobs $(CORES)

notebooks: $(VENV)/.test ## run every notebook against the built-in exchange; notebooks/build.py writes them
	@$(RUN) -m ringbook warm
	$(RUN) -m pytest -q -ra -m notebooks

bench: $(VENV)/.test ## all benchmarks; writes benchmarks/RESULTS.md and docs/bench
	$(RUN) -m benchmarks

bench-quick: $(VENV)/.test ## the same questions in a few minutes, nothing written
	$(RUN) -m benchmarks --quick

guard: $(VENV)/.test ## instructions of hot kernels and ratios within one run, beside the committed ones
	$(RUN) -m benchmarks.guard

peers: .venv-peers/.done ## the Python peers of `make bench` in .venv-peers; PEERS_PYTHON is a 3.13 or later

.venv-peers/.done:
	$(PEERS_PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-input orjson msgspec pysimdjson \
		sortedcontainers order-book cryptofeed nautilus_trader picows websockets
	@touch $@

soak: $(VENV)/.test ## the tests marked soak, for MINUTES=10
	RINGBOOK_SOAK_MINUTES=$(MINUTES) HYPOTHESIS_PROFILE=soak $(RUN) -m pytest -q -ra -m soak

warm: $(VENV)/.demo ## compile every kernel, or load it from the cache
	$(RUN) -m ringbook warm

format: $(VENV)/.test ## let ruff write the style it asks for
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find engine io src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is older than pyproject.toml exactly when something must be installed.
$(RUN):
	@sh scripts/venv.sh $(VENV) $(PYTHON)

$(VENV)/.demo: pyproject.toml | $(RUN)
	@echo "installing ringbook and what the demo needs into $(VENV)"
	@$(PIP) '.[tui,exchange,fast]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(RUN)
	@echo "installing ringbook and what its tests need into $(VENV)"
	@$(PIP) '.[test]'
	@touch $@ $(VENV)/.demo
