# chainer_style: `make reproduce` and `make test` set everything up by themselves.

PYTHON  ?= python3
VENV    ?= .venv
MINUTES ?=
SECONDS ?=
WEIGHTS ?=
RESULTS ?= results
FULL    ?=
JOBS    ?= 2

BIN   := $(VENV)/bin
READY := $(VENV)/.ready
TIME  := $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SECONDS),--seconds $(SECONDS))
RUN   := $(TIME) $(if $(FULL),--full) $(if $(WEIGHTS),--weights $(WEIGHTS)) --results $(RESULTS)

# Single parts of the paper, and of what belongs to it.
PARTS := $(foreach n,1 2 3 4 5,table$(n)) $(foreach n,1 2 3 4 5 6 7 8,figure$(n)) limits past mnist ceilings
# Single sizes of part "past".
SIZES := $(foreach n,512 1024 2048 4096 8k,px$(n))
# Only where an NVIDIA driver answers: CuPy is a large download. CUDA 12 serves GPUs that
# CUDA 13 has left behind, and runs with later drivers; to have 13: make CUDA=,cuda13
CUDA  := $(shell nvidia-smi -L >/dev/null 2>&1 && echo ,cuda)

# Chainer's own setup.py needs an older setuptools while its wheel is built. Old
# pip, new pip and uv each read their own variable.
BUILD := $(abspath build-constraints.txt)
CONSTRAINED := PIP_CONSTRAINT=$(BUILD) PIP_BUILD_CONSTRAINT=$(BUILD) UV_BUILD_CONSTRAINT=$(BUILD)

.DEFAULT_GOAL := help
.PHONY: help venv reproduce $(PARTS) $(SIZES) report test test-all test-gpu check-gpu lint format docs clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  single parts of the paper: $(PARTS)'
	@echo '  past the paper, size by size: $(SIZES)'
	@echo
	@echo '  PYTHON=$(PYTHON)  FULL=1  MINUTES=5  SECONDS=30  JOBS=$(JOBS)  WEIGHTS=seeded  RESULTS=$(RESULTS)'
	@echo '  WEIGHTS=caffe: trained weights, fetched if they are not in models/; or a file'

venv: $(READY) ## set up .venv with everything that is needed

$(READY): setup.py pyproject.toml build-constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  "Python 3.11 or later is needed, $(PYTHON) is %d.%d; try make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(CONSTRAINED) $(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w $(VENV)/wheels chainer==7.8.1
	$(BIN)/python -m pip install -q --disable-pip-version-check --find-links $(VENV)/wheels -e '.[digits,test,docs$(CUDA)]'
	@touch $@

reproduce: $(READY) ## run all of the paper (FULL=1: as long as it did)
	$(BIN)/chainer-style reproduce $(RUN)

$(PARTS) $(SIZES): $(READY)
	$(BIN)/chainer-style reproduce $@ $(RUN)

report: $(READY) ## merge the records of all machines in results/ into the report
	$(BIN)/chainer-style report --results $(RESULTS)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile -m 'not slow and not gpu'

test-all: $(READY) ## run the tests, slow ones too
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

test-gpu: $(READY) ## run the tests that need a CUDA device
	$(BIN)/python -m pytest -q -n $(JOBS) -m gpu

check-gpu: $(READY) ## test and measure all that needs a CUDA device; logs in build/gpu
	PYTHON=$(abspath $(BIN))/python RESULTS=$(abspath $(RESULTS)) benchmarks/gpu_check.sh build/gpu

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
