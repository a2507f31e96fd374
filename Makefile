# The two commands of a newcomer are `make lab` and `make test`; everything else is for people who work on the project.
SHELL := /bin/bash
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help venv lab lab-status lab-down test test-lab test-engine lint docs engine clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements.txt requirements-dev.txt
	@echo "venv: installing the pinned packages into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: install python3-venv"; exit 1; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 2>/dev/null \
	  && $(VENV)/bin/uv pip install --quiet --python $(PY) -r requirements-dev.txt 2>/dev/null \
	  || $(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

venv: $(STAMP)  ## Install the pinned packages

lab: $(STAMP)  ## Bring up the embedded site and take its machines to Healthy
	@$(PY) -m lab up

lab-status: $(STAMP)  ## Show the machines and services of the lab
	@$(PY) -m lab status

lab-down: $(STAMP)  ## Remove everything that the lab made
	@$(PY) -m lab down

test: $(STAMP) lint  ## Unit, mock and script tests, and one pass through the lab
	@$(PY) -m pytest -q -n 2 --dist loadfile tests/unit tests/components tests/programs tests/scripts
	@$(PY) -m pytest -q -m "not fault" tests/lab

test-lab: $(STAMP)  ## The faults, on lab machines
	@# A fault that must hit a moment can miss it on a busy machine: one more try, which the report names.
	@$(PY) -m pytest -q -m fault --reruns 1 -rR tests/lab

test-engine: $(STAMP)  ## The scenarios of the chain on the real engine; skipped without the Pulumi CLI
	@$(PY) -m pytest -q tests/engine --engine-table .edge/engine-table.md

lint: $(STAMP)  ## ruff and mypy
	@$(PY) -m ruff check -q . && $(PY) -m ruff format -q --check . && $(PY) -m mypy --no-error-summary

docs: $(STAMP)  ## Write the generated parts of docs/ and schema/ again
	@$(PY) -m edge.settings.reference
	@$(PY) -m edge.checks.document
	@$(PY) -m edge.aws.document

engine: $(STAMP)  ## Install the pinned Pulumi CLI and plugins, where the network allows it
	@$(PY) -m edgectl engine

clean:  ## Remove the venv and all caches, not the lab
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
