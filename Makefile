# chainer_style: `make reproduce` and `make test` set everything up by themselves.

PYTHON  ?= python3
VENV    ?= .venv
MINUTES ?=
SECONDS ?= 60
WEIGHTS ?= seeded
RESULTS ?= results

BIN   := $(VENV)/bin
READY := $(VENV)/.ready
TIME  := $(if $(MINUTES),--minutes $(MINUTES),--seconds $(SECONDS))
# Only where an NVIDIA driver answers: CuPy is a large download.
CUDA  := $(shell nvidia-smi -L >/dev/null 2>&1 && echo ,cuda)

# Chainer's own setup.py needs an older setuptools while its wheel is built. Old
# pip, new pip and uv each read their own variable.
BUILD := $(abspath build-constraints.txt)
CONSTRAINED := PIP_CONSTRAINT=$(BUILD) PIP_BUILD_CONSTRAINT=$(BUILD) UV_BUILD_CONSTRAINT=$(BUILD)

.DEFAULT_GOAL := help
.PHONY: help venv reproduce test test-all test-gpu lint format docs clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=$(PYTHON)  MINUTES=5  SECONDS=$(SECONDS)  WEIGHTS=$(WEIGHTS)  RESULTS=$(RESULTS)'
	@echo '  WEIGHTS=caffe: trained weights, fetched if they are not in models/; or a file'

venv: $(READY) ## set up .venv with everything that is needed

$(READY): setup.py pyproject.toml build-constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  "Python 3.11 or later is needed, $(PYTHON) is %d.%d; try make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(CONSTRAINED) $(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w $(VENV)/wheels chainer==7.8.1
	$(BIN)/python -m pip install -q --disable-pip-version-check --find-links $(VENV)/wheels -e '.[test,docs$(CUDA)]'
	@touch $@

reproduce: $(READY) ## run the paper's experiments (MINUTES=5: its own protocol)
	$(BIN)/chainer-style reproduce $(TIME) --weights $(WEIGHTS) --results $(RESULTS)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -q -m 'not slow and not gpu'

test-all: $(READY) ## run the tests, slow ones too
	$(BIN)/python -m pytest -q

test-gpu: $(READY) ## run the tests that need a CUDA device
	$(BIN)/python -m pytest -q -m gpu

lint: $(READY) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

clean: ## remove the virtual environment and everything built; results stay
	rm -rf $(VENV) build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find chainer_style tests samples docs -name __pycache__ -type d -prune -exec rm -rf {} +
