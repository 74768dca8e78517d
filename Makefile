# Everything runs in .venv, which is made on first use. PYTHON picks the interpreter (3.11 or newer), ARGS are handed on.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: run test lint bench validate reproduce clean

run: $(INSTALLED)  ## the edge-of-chaos map; ARGS="dataset=iris optimizer=adam run=quick"
	$(BIN)/python -m experiments.run $(ARGS)

test: $(INSTALLED) lint  ## lint, types and all tests; ARGS="-k sweep"
	$(BIN)/python -m pytest $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

bench: $(INSTALLED)  ## throughput, side by side with PyTorch; ARGS=--quick
	$(BIN)/python benchmarks/run.py $(ARGS)

validate: $(INSTALLED)  ## every estimator against what is known; ARGS="--only series"
	$(BIN)/python -m experiments.validate $(ARGS)

ONLY ?=
SIZE ?= cpu
reproduce: $(INSTALLED)  ## every experiment of both studies; ONLY=danovski/fig8 SIZE=paper
	$(BIN)/python -m experiments.reproduce --size "$(SIZE)" --only "$(ONLY)" $(ARGS)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chaosjax needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv .venv-bench
