# The two commands of the README, and what they stand on. Each makes the environment it needs.

VENV := .venv
BIN := $(VENV)/bin
# The first Python between 3.10 and 3.12; PYTHON=... names another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.10 python3 python; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
	2>/dev/null && echo $$python && break; done)

# Two files of tests at a time: most of their time is one thread's, and each process takes up to 3 GB.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo test test-slow test-all lint clean

demo: $(VENV)/installed
	$(BIN)/recu demo

test: $(VENV)/installed
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/installed
	$(PYTEST) -m slow

test-all: test test-slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache

# Written last, so that an installation cut short is taken up again.
$(VENV)/installed: setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.10, 3.11 or 3.12 is needed and was not found; name one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[data,export,zoo,torch,test]"
	@touch $@
