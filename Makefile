# Two commands: `make demo` and `make test`.  Each makes its own environment first.

PYTHON ?= python3
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
PYUVDATA := .venv-pyuvdata/.ready
EXCHANGE := .venv-exchange/.ready
REANA := .venv-reana/.ready
LOCK := environments/requirements.lock
DEV_LOCK := environments/developers.lock
PYUVDATA_LOCK := environments/pyuvdata.lock
EXCHANGE_LOCK := environments/exchange.lock
REANA_LOCK := environments/reana.lock
UPGRADE ?= --upgrade
SERVICES := environments/services.txt
# Two test processes use both cores of a small machine, and two mostly wait for the batch system
# and the stores; tests/conftest.py says what is begun first.  PYTEST_ARGS= runs all in one.
PYTEST_ARGS ?= -n 4 --dist loadgroup --no-loadscope-reorder

# What Python compiles is kept: where this is set, every process compiles 2,000 modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env demo lab test compiled long cases lint docs services proof evidence cluster image sbom mutants lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

env: $(READY)  ## make .venv with what the workflows need (needs Python >= 3.11 with venv)
	@echo "ready: source $(BIN)/activate, then spectrum --help, or make demo"

demo: $(READY)  ## run both workflows on small generated data
	@$(BIN)/spectrum demo
	@echo "The command is in $(BIN): source $(BIN)/activate"

lab: $(READY)  ## open JupyterLab on a copy of the notebooks, in notebooks/
	@test -d notebooks || $(BIN)/spectrum notebooks notebooks
	@$(BIN)/jupyter lab --notebook-dir=notebooks

test: $(TOOLS)  ## check style and types, then run every test that does not take minutes
	@$(MAKE) --no-print-directory --jobs=2 lint compiled
	@$(BIN)/python -m pytest -m "not cases and not long" $(PYTEST_ARGS)

# What Python makes of libraries and tests when it first sees them is made once, on the core that
# mypy leaves free, and not by every test process; an error in it is for the tests to tell.
compiled: $(TOOLS)
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1 || true

long: $(TOOLS)  ## run the tests that take minutes each, one after the other
	@$(BIN)/python -m pytest -m long

cases: $(TOOLS)  ## run the small inputs that once failed, a line for each
	@$(BIN)/python -m pytest tests/cases -v

lint: $(TOOLS)  ## ruff and mypy
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary

docs: $(TOOLS)  ## build the documentation site, notebooks executed: build/docs/index.html
	@rm -rf build/docs
	@$(BIN)/sphinx-build --fail-on-warning --nitpicky --keep-going --quiet docs build/docs
	@echo "build/docs/index.html"

services: $(PYUVDATA) $(EXCHANGE) $(REANA)  ## install the programs that some tests and benchmarks use, besides .venv
	@sh environments/services.sh $(SERVICES)
	@sh environments/htcondor.sh || echo "HTCondor could not be installed: its tests are left out"

# Environments of their own: pyuvdata wants an older numba than .venv has, the RO-Crate validator
# an older rich, REANA's validator an older jsonschema.
$(PYUVDATA): $(PYUVDATA_LOCK)
$(EXCHANGE): $(EXCHANGE_LOCK)
$(REANA): $(REANA_LOCK)
$(PYUVDATA) $(EXCHANGE) $(REANA): | $(BIN)/uv
	@echo "installing the packages of $< into $(@D)"
	@$(BIN)/uv --no-config venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv --no-config pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

WITH_SERVICES := $(BIN)/python tests/services/with_services.py
CLUSTERS := slurm gateway
STORES := ceph rclone xrootd https

# Interpreters that take part in the proof besides, each with an environment of its own.
PYTHONS ?= $(foreach python,python3.12 python3.13,$(if $(shell $(python) -c 'import venv' 2>/dev/null && echo yes),$(python)))
OTHERS := $(addprefix .venv-,$(notdir $(PYTHONS)))
$(if $(filter-out $(words $(sort $(OTHERS))),$(words $(OTHERS))),$(error PYTHONS: two of one name; give python3.12 and python3.13))

.venv-%/.ready: $(LOCK) pyproject.toml
	@$(MAKE) --no-print-directory $@ VENV=.venv-$* PYTHON="$(firstword $(filter $* %/$*,$(PYTHONS)))"

proof: $(TOOLS) $(OTHERS:%=%/.ready)  ## run the notebooks at every site, from every store, with real services on this machine
	@$(WITH_SERVICES) $(CLUSTERS) $(STORES) -- \
	  sh -c '$(BIN)/spectrum proof --full $(OTHERS:%=--python %/bin/python) --stores "$$SPECTRUM_STORES"'
	@cp spectrum-proof/proof.json docs/evidence/proof.json && $(BIN)/python benchmarks/evidence.py
	@$(BIN)/spectrum blueprint --markdown > docs/blueprint.md

continuum: $(TOOLS)  ## run both sciences over two real sites with a store each, kill one site, print one table
	@$(WITH_SERVICES) $(CLUSTERS) ceph rclone -- $(BIN)/python benchmarks/continuum.py

evidence: $(TOOLS)  ## compare with the fields' own programs, and render docs/evidence.md from docs/evidence
	@$(BIN)/python -m pytest -q tests/reference --agreement docs/evidence/agreement.json
	@$(BIN)/python benchmarks/evidence.py
	@$(BIN)/spectrum blueprint --markdown > docs/blueprint.md

cluster: $(TOOLS)  ## open a shell in which this machine has a real SLURM and Dask Gateway
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(WITH_SERVICES) $(CLUSTERS) -- $${SHELL:-sh}

image:  ## build the container image with podman, buildah or docker, whichever is here
	@environments/build_image.sh

sbom: $(READY) $(EXCHANGE)  ## write a bill of materials of the lock, CycloneDX in JSON: build/sbom.cdx.json
	@$(dir $(EXCHANGE))bin/python environments/sbom.py $(LOCK) $(BIN)/python build/sbom.cdx.json

mutants: $(TOOLS)  ## change the kernels one thing at a time and see whether a test notices (ROOM=radio/weights)
	@$(BIN)/uv --no-config pip install --quiet --python $(BIN)/python --group mutants
	@$(BIN)/python tests/mutants.py $(ROOM)

lock: $(BIN)/uv  ## resolve the dependencies anew (UPGRADE= keeps the versions that still fit)
	@$(COMPILE) $(UPGRADE) --group dev --output-file $(DEV_LOCK)
	@$(COMPILE) --group build --constraint $(DEV_LOCK) --output-file $(LOCK)
	@$(RESOLVE) environments/pyuvdata.txt $(UPGRADE) --output-file $(PYUVDATA_LOCK)
	@$(RESOLVE) environments/exchange.txt $(UPGRADE) --output-file $(EXCHANGE_LOCK)
	@$(RESOLVE) environments/reana.txt $(UPGRADE) --output-file $(REANA_LOCK)
	@sh environments/conda_from_lock.sh $(LOCK) > environments/environment.yml
	@echo "wrote $(DEV_LOCK), $(LOCK), $(PYUVDATA_LOCK), $(EXCHANGE_LOCK), $(REANA_LOCK) and environments/environment.yml"

COMPILE = $(RESOLVE) pyproject.toml --all-extras
RESOLVE = $(BIN)/uv --no-config pip compile --universal \
  --python-version 3.11 --generate-hashes --quiet --no-emit-index-url \
  --custom-compile-command "make lock"

clean:  ## remove .venv and what the tools leave behind
	rm -rf $(VENV) .venv-* build dist docs/generated .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -exec rm -rf {} +

# uv lives inside .venv, so nothing is installed outside this folder.
$(BIN)/uv:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: $(PYTHON) not found; install Python 3.11 or newer, or say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$("$(PYTHON)" --version) is too old; Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) has no venv; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): $(LOCK) pyproject.toml | $(BIN)/uv
	@echo "installing the $$(grep -c '^[a-z].*==' $(LOCK)) packages of $(LOCK) into $(VENV)"
	@$(BIN)/uv --no-config pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK)
	@$(BIN)/uv --no-config pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# What tests, linters and the documentation need besides: the same versions, and more packages.
# `make env` takes them out again when the lock has changed.
$(TOOLS): $(DEV_LOCK) $(READY)
	@echo "installing the tools of developers from $(DEV_LOCK) into $(VENV)"
	@$(BIN)/uv --no-config pip install --quiet --python $(BIN)/python --require-hashes --requirement $(DEV_LOCK)
	@touch $@
