# Two commands for a fresh machine: `make demo` and `make test`. Each sets up its own .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: help demo test lint docs services bench bench-scaling bench-peers clean

help:
	@echo "make demo   install, simulate a killing assay, run the quickstart pipeline on it"
	@echo "make test   install the test tools, run the whole suite"
	@echo "make lint   style, types, floors"
	@echo "make docs   the documentation site, into build/docs; a broken link is an error"
	@echo "make bench  overhead of the engine, and time of the tasks, beside what others need"
	@echo "make bench-scaling  the killing assay's stages with 1, 2, 4, 8 workers"
	@echo "make bench-peers    install the engines that make bench compares with"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "pyCyto needs Python 3.10 or newer; name one with: make PYTHON=python3.11" >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python lacks venv; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 3; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[tasks,compression]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --group test --group lint --group docs
	@touch $@

# The validator of RO-Crates wants an older rich than others do.
$(VENV)/crate/.done: $(BIN)/python pyproject.toml
	$(PYTHON) -m venv $(VENV)/crate
	$(BIN)/python -m pip --python $(VENV)/crate/bin/python install --quiet --group crate
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/cyto sample $(DEMO)/sample
	$(BIN)/cyto run pipelines/pipeline.quickstart.yaml --profile local --output-dir $(DEMO)/results \
	  --set channels.tcell.path=$(DEMO)/sample/tcell.ome.tif \
	  --set channels.cancer.path=$(DEMO)/sample/cancer.ome.tif \
	  --set channels.death.path=$(DEMO)/sample/death.ome.tif

# With CYTO_REQUIRE=docker,apptainer,slurm the services are installed and started first (root on Debian),
# and a test that lacks one fails; without it, such a test is skipped and says why.
services:
	@test -z "$$CYTO_REQUIRE" || scripts/services.sh up $$(echo "$$CYTO_REQUIRE" | tr ',' ' ')

test: $(VENV)/.test $(VENV)/crate/.done services
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.docs: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -b html -W --keep-going --quiet -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

bench: $(VENV)/.test
	$(BIN)/python scripts/benchmark/overhead.py
	$(BIN)/python scripts/benchmark/tasks.py

bench-scaling: $(VENV)/.test
	$(BIN)/python scripts/benchmark/run_benchmark.py

# Each in an environment of its own in pyCyto's cache folder, about 550 MB in all.
bench-peers: $(VENV)/.demo
	$(BIN)/python scripts/benchmark/peers/install.py

clean:
	rm -rf $(VENV) $(DEMO) build dist
