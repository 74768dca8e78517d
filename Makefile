# Everything runs in .venv, which is made on first use. PYTHON picks the interpreter (3.11 or newer), ARGS are handed on.
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/.installed-run
TEST := .venv/.installed-test
DOCS := .venv/.installed-docs

.PHONY: run test test-long test-all test-accelerator lint bounds bench scaling validate reproduce curvature learning-rate questions site site-test clean

run: $(RUN)  ## the edge-of-chaos map; ARGS="dataset=iris optimizer=adam run=quick"
	$(BIN)/python -m experiments.run $(ARGS)

test: $(TEST) lint  ## lint, types and all tests but the long ones; ARGS="-k sweep"
	$(BIN)/python -m pytest -m "not long" $(ARGS)

test-long: $(TEST)  ## what make test leaves out: the long tests, and those that read the data sets of TFDS_DATA_DIR
	$(BIN)/python -m pytest -m "long or data" $(ARGS)

test-all: test test-long  ## both

test-accelerator: $(TEST)  ## the conformance tests on the accelerator that JAX finds
	$(BIN)/python -m pytest -n0 --accelerator $(ARGS)

lint: $(TEST)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

OLDEST ?= python3.11
NEWEST ?= python3.13
CORE := $(patsubst %,tests/test_%.py,sweep results store training models stats)
bounds:  ## core tests with the lowest versions allowed and with the newest that install; OLDEST=python3.11 NEWEST=python3.13
	$(OLDEST) -m venv --clear .venv-lowest
	$(NEWEST) -m venv --clear .venv-newest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable '.[test]'
	.venv-lowest/bin/uv pip install --quiet --python .venv-newest --editable '.[test]'
	.venv-lowest/bin/python -m pytest -m "not long" $(CORE) $(ARGS)
	.venv-newest/bin/python -m pytest -m "not long" $(CORE) $(ARGS)

bench: $(RUN)  ## throughput, side by side with peers; ARGS=--quick; SCALING=1: how cost grows
	$(BIN)/python benchmarks/$(if $(SCALING),growth,run).py $(ARGS)

scaling: $(RUN)  ## what accelerators and clusters allow, counted: docs/scaling.md
	$(BIN)/python benchmarks/scaling.py $(ARGS)

validate: $(RUN)  ## every estimator against what is known; ARGS="--only series"
	$(BIN)/python -m experiments.validate $(ARGS)

ONLY ?=
SIZE ?= cpu
reproduce: $(RUN)  ## every experiment of both studies; ONLY=danovski/fig8 SIZE=paper
	$(BIN)/python -m experiments.reproduce --size "$(SIZE)" --only "$(ONLY)" $(ARGS)

curvature: $(RUN)  ## every experiment on curvature and the edge of stability; ONLY=curvature/edge SIZE=toy
	$(BIN)/python -m experiments.reproduce --page curvature_experiments --size "$(SIZE)" --only "$(ONLY)" $(ARGS)

learning-rate: $(RUN)  ## rules for the learning rate, judged; SIZE=toy
	$(BIN)/python -m experiments.reproduce --page learning_rate --size "$(SIZE)" --only "$(ONLY)" $(ARGS)

questions: $(RUN)  ## what the studies leave open; ONLY=questions/optimizers SIZE=toy
	$(BIN)/python -m experiments.reproduce --page questions --size "$(SIZE)" --only "$(ONLY)" $(ARGS)

site: $(DOCS)  ## the documentation, in build/site: opens from the folder, without a server
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build $(ARGS)

site-test: $(TEST) site  ## looks at the site and the explorer in a headless Chromium (apt install chromium-driver)
	PYTHONPATH=. $(BIN)/python -m pytest -n0 docs/website $(ARGS)

PIP = $(BIN)/python -m pip install --quiet --constraint constraints.txt
UV = $(BIN)/uv pip install --quiet --constraint constraints.txt --python .venv --compile-bytecode
install = $(PIP) uv && $(UV) --editable '$(1)' || $(PIP) --editable '$(1)'  # without uv it takes three times as long

$(RUN): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chaosjax needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(call install,.)
	touch $@

$(TEST): $(RUN)
	$(call install,.[test])
	touch $@

$(DOCS): $(RUN)
	$(call install,.[docs])
	touch $@

clean:
	rm -rf .venv .venv-bench .venv-lowest .venv-newest
