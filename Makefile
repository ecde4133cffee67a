# The commands of README.md and CONTRIBUTING.md. Each creates the virtual environment it needs.

VENV := .venv
BIN := $(VENV)/bin
# The first Python from 3.10 to 3.12 that is found; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.10 python3 python; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
	2>/dev/null && echo $$python && break; done)

CHECK_PYTHON = @test -n "$(PYTHON)" || { \
	echo "Python 3.10, 3.11 or 3.12 is needed, but none was found. Choose one with make PYTHON=..."; \
	exit 1; }

# Two test files at a time: most tests use one thread, and each process takes up to 3 GB.
PYTEST_OPTIONS := -n 2 --dist loadfile
PYTEST := $(BIN)/python -m pytest $(PYTEST_OPTIONS)

# The oldest and the newest TensorFlow that setup.py allows, and the tests that are run with them.
VERSIONS := 2.16 2.21
VERSION_TESTS := tests/recu_tf tests/export/conversion tests/export/proof \
	tests/export/test_pipeline.py tests/experiments/test_cli.py
ENVIRONMENTS := $(VENV) $(VERSIONS:%=$(VENV)-%)

.PHONY: bench demo check test test-slow test-all test-versions $(VERSIONS:%=test-tensorflow-%) lint \
	docs docs-serve wheel release-check clean

demo: $(VENV)/installed
	$(BIN)/recu demo

# BENCH_OPTIONS="--only inference" and the like: see experiments/benchmarks/README.md.
bench: $(VENV)/installed
	$(BIN)/python -m experiments.benchmarks $(BENCH_OPTIONS)

# What has to pass before a change lands; .ci/run runs it.
check: lint test-all

test: $(VENV)/installed
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/installed
	$(PYTEST) -m slow

test-all: test test-slow

test-versions: $(VERSIONS:%=test-tensorflow-%)

$(VERSIONS:%=test-tensorflow-%): test-tensorflow-%: $(VENV)-%/installed
	$(VENV)-$*/bin/python -m pytest $(PYTEST_OPTIONS) -m "not slow" $(VERSION_TESTS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The site in build/site, from the pages of all folders and the docstrings; MkDocs is told not to
# advertise its successor.
docs docs-serve: export NO_MKDOCS_2_WARNING := 1
docs: $(VENV)/installed
	$(BIN)/mkdocs build --config-file experiments/docs/mkdocs.yml
	@echo "Open build/site/index.html"

docs-serve: $(VENV)/installed
	$(BIN)/mkdocs serve --config-file experiments/docs/mkdocs.yml

# The project and its runtime by itself, each built in an environment of pip's own. The runtime comes
# first: it cannot be built without a compiler, and the project's wheel is of no use without one.
wheel: $(VENV)-wheel/bin/pip
	@for project in export/runtime .; do \
		rm -rf $$project/build/bdist* $$project/build/lib $$project/build/lib.* $$project/build/temp*; \
		$(VENV)-wheel/bin/pip wheel --quiet --no-deps --wheel-dir dist ./$$project || exit 1; \
	done
	@ls dist/*.whl

# The sdist and the wheels in fresh environments, in build/release-check: with both versions of
# TensorFlow, and without a compiler. Half an hour, most of it downloads.
release-check:
	$(CHECK_PYTHON)
	$(PYTHON) -m experiments.release.release_check $(VERSIONS)

clean:
	rm -rf $(ENVIRONMENTS) $(VENV)-wheel dist .pytest_cache .ruff_cache
	rm -rf build *.egg-info export/runtime/build export/runtime/*.egg-info

$(VENV)-wheel/bin/pip:
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)-wheel

# The file `installed` is written last, so that an interrupted installation is repeated.
# The pip of Python 3.10 takes many minutes to find releases that go together; a newer one does not.
# recu_tf/__init__.py has the version.
$(ENVIRONMENTS:%=%/installed): setup.py recu_tf/__init__.py $(wildcard export/runtime/source/*)
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable $(PACKAGES)
	@touch $@

$(VENV)/installed: PACKAGES = ".[data,docs,export,zoo,torch,test]"
# Without zoo, which excludes the newest TensorFlow, and torch, which does not depend on TensorFlow.
$(VENV)-%/installed: PACKAGES = ".[data,export,test]" "tensorflow==$(@D:$(VENV)-%=%).*"
