# Every target shows the plain command it runs. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo app data train complete evaluate sweep leaderboard report configuration test lint clean

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
INSTALLED := $(VENV)/installed
INSTALLED_APP := $(VENV)/installed-app
INSTALLED_DEV := $(VENV)/installed-dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED_DEV) ## Make .venv and install ganfill with everything for development

demo: $(INSTALLED) ## Complete the packaged pictures with the packaged model into runs/demo
	$(BIN)/ganfill complete images=src/ganfill/packaged/demo mask=center,left,random,freeform out=runs/demo

app: $(INSTALLED_APP) ## Open the page with the brush on http://127.0.0.1:7860 [ARGS="models=my.safetensors"]
	$(BIN)/ganfill app $(ARGS)

data: EXAMPLE = make data SOURCE=thumbnails128x128 OUT=data/ffhq64
data: needs-SOURCE needs-OUT $(INSTALLED) ## Prepare pictures: make data SOURCE=thumbnails128x128 OUT=data/ffhq64 [ARGS="limit=30000"]
	$(BIN)/ganfill prepare 'source=$(SOURCE)' 'out=$(OUT)' $(ARGS)

train: EXAMPLE = make train OUT=runs/dcgan ARGS="data.path=data/ffhq64"
train: needs-OUT $(INSTALLED) ## Train: make train OUT=runs/dcgan ARGS="data.path=data/ffhq64"
	$(BIN)/ganfill train 'out=$(OUT)' $(ARGS)

complete: EXAMPLE = make complete IMAGES=photos MASK=center OUT=filled
complete: needs-IMAGES needs-MASK needs-OUT $(INSTALLED) ## Complete pictures: make complete IMAGES=photos MASK=center OUT=filled [ARGS="answers=4"]
	$(BIN)/ganfill complete 'images=$(IMAGES)' 'mask=$(MASK)' 'out=$(OUT)' $(ARGS)

evaluate: EXAMPLE = make evaluate STORE=data/faces64 OUT=runs/evaluate
evaluate: needs-STORE needs-OUT $(INSTALLED) ## Compare searches: make evaluate STORE=data/faces64 OUT=runs/evaluate [ARGS="n=64 mask=center,random"]
	$(BIN)/ganfill evaluate 'data.path=$(STORE)' 'out=$(OUT)' $(ARGS)

sweep: EXAMPLE = make sweep NAME=losses ARGS="data.path=data/ffhq64"
sweep: needs-NAME $(INSTALLED) ## Run a sweep of experiments/: make sweep NAME=losses ARGS="data.path=data/ffhq64"
	$(BIN)/ganfill train -cd experiments -cn $(NAME) $(ARGS)

leaderboard: EXAMPLE = make leaderboard RUNS=runs/losses
leaderboard: needs-RUNS $(INSTALLED) ## Compare the trainings of a sweep: make leaderboard RUNS=runs/losses
	$(BIN)/ganfill leaderboard 'runs=$(RUNS)' $(ARGS)

report: EXAMPLE = make report RUN=runs/dcgan
report: needs-RUN $(INSTALLED) ## Show a training as one HTML page: make report RUN=runs/dcgan
	$(BIN)/ganfill report 'run=$(RUN)' $(ARGS)

configuration: $(INSTALLED) ## Write docs/configuration.md, the reference of all keys
	$(BIN)/python -c 'from ganfill.config_help import reference; print(reference(), end="")' > docs/configuration.md

test: $(INSTALLED_DEV) ## Run the tests, on all cores
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

lint: $(INSTALLED_DEV) ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

.PHONY: docs notebooks
docs: $(INSTALLED_DEV) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

notebooks: $(INSTALLED_DEV) ## Run the notebooks and store their outputs
	$(BIN)/python notebooks/run.py

clean: ## Delete the environment, caches and builds; runs/ and data/ stay
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "ganfill needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(INSTALLED_APP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[app]'
	@touch $@ $(INSTALLED)

$(INSTALLED_DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(INSTALLED) $(INSTALLED_APP)

needs-%:
	@test -n '$($*)' || { echo '$(wordlist 1,2,$(EXAMPLE)) needs $*=..., for example: $(EXAMPLE)' >&2; exit 2; }
