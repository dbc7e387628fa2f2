# Sets up a virtual environment in .venv and runs the project's commands in it.
# PYTHON=... picks the interpreter (3.11 or newer); else the newest that works here is taken.

USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c '$(USABLE)' 2>/dev/null && echo $$p && break; done)
SECONDS ?= 60
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint fuzz bench clean

help:
	@echo "make demo            set up and analyze a bundled log"
	@echo "make test            set up and run the linters, the type checker and all tests"
	@echo "make fuzz SECONDS=60 fuzz the readers and the analysis"
	@echo "make bench           measure speed and memory"
	@echo "make clean           remove the environment and what the tools left"

demo: .venv/base
	$(BIN)/logparse analyze sample_logs/seeds/003_outer_loop.log

test: .venv/dev lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: .venv/dev
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

bench: .venv/dev
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.text
	$(BIN)/python -m benchmarks.truth
	$(BIN)/python -m benchmarks.batch
	$(BIN)/python -m benchmarks.jumps
	$(BIN)/python -m benchmarks.compare --repeat 200
	$(BIN)/python benchmarks/events.py --repeat 1

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist benchmarks/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "logparse needs Python 3.11 or newer with venv and pip;" \
		"on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# The package alone: what a user installs.
.venv/base: pyproject.toml requirements.txt | .venv/bin/python
	$(INSTALL) -c requirements.txt -e .
	$(BIN)/python -m compileall -q logparse
	touch $@

# And what developing takes; pip knows dependency groups from 25.1 on.
.venv/dev: .venv/base
	$(INSTALL) "pip>=25.1"
	$(INSTALL) -c requirements.txt -e ".[app,dask,http,pandas,replay]" --group dev
	touch $@
