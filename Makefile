# make demo  – set up, then run the main job on the real labour code
# make test  – set up, then run the unit tests
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where pip finds torch. On a machine without a GPU, PyTorch's index of CPU builds saves several GB:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-services test-browser test-faults lint bench bench-gpu setup clean

setup: $(VENV)/.done

# torch first and alone: a looser order would fetch several GB of CUDA libraries for nothing.
$(VENV)/.done: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Socle needs Python 3.11 or later (PYTHON=... make ...)"; exit 2; }
	@echo "Installing into $(VENV) (some minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	@$(BIN)/socle run code-du-travail --fallback exemple

test: setup lint
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-services: setup
	@$(BIN)/python -m pytest -m services

test-browser: setup
	@$(BIN)/python -m pytest -m browser

test-faults: setup
	@$(BIN)/python -m pytest -m faults --timeout 1800

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo > .lint-imports.log || { cat .lint-imports.log; exit 1; }

bench: setup
	@$(BIN)/python -m benchmarks

# On a machine with a GPU, without any network: tokens a second and the share of the card's peak, all layers trained.
bench-gpu: setup
	@HF_HUB_OFFLINE=1 SOCLE_BENCH_LAYERS=all SOCLE_BENCH_TEXTS=8000 $(BIN)/python -m benchmarks training

clean:
	rm -rf $(VENV) .socle
