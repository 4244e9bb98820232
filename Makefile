# Needs Python 3.11 or later; everything else is installed into .venv.
# A stamp is older than pyproject.toml exactly when its installation is out of date.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help verify test bench lint format docs extras clean

help:
	@echo "make verify   check every theorem            (make verify ARGS='...' passes arguments to icl verify)"
	@echo "make test     run the tests                  (make test ARGS='...' passes arguments to pytest)"
	@echo "make bench    run the benchmarks             (installs PyTorch and Matplotlib)"
	@echo "make lint     check style and types"
	@echo "make format   rewrite the files in the project's format"
	@echo "make docs     write docs/catalogue.md from the code"
	@echo "make extras   install the optional libraries PyTorch and Matplotlib"
	@echo "make clean    remove the virtual environment and everything built"
	@echo "PYTHON=...    the Python (3.11 or later) that creates the virtual environment; now $(PYTHON)"

verify: $(VENV)/run.stamp
	@$(BIN)/icl verify $(ARGS)

test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest --quiet --numprocesses=auto --maxprocesses=8 --dist=loadgroup $(ARGS)

bench: $(VENV)/extras.stamp
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy

format: $(VENV)/dev.stamp
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

docs: $(VENV)/run.stamp
	@$(BIN)/python -m proofs.catalogue_page > docs/catalogue.md

extras: $(VENV)/extras.stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "icl-theory needs Python 3.11 or later, and '$(PYTHON)' is not one:" \
	       "pass one with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing icl-theory into $(VENV)"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing icl-theory with its test tools into $(VENV)"
	@$(INSTALL) --editable '.[dev]'
	@touch $(VENV)/run.stamp $@

$(VENV)/extras.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing icl-theory with PyTorch and Matplotlib into $(VENV)"
	@$(INSTALL) --editable '.[torch,plots]'
	@touch $(VENV)/run.stamp $@

clean:
	@rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
