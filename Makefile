# The front door: `make help`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := libs/contracts libs/verdicts libs/store operator services/gateway services/engine services/cli training-jobs
SOURCES := $(DISTRIBUTIONS) tests
PACKAGES := libs/contracts/slipway_contracts libs/verdicts/slipway_verdicts libs/store/slipway_store operator/slipway_operator services/gateway/slipway_gateway services/engine/slipway_engine services/cli/slipway_cli training-jobs/slipway_training
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# An environment is rebuilt when its lock changes; uv's own cache makes that seconds.
$(VENV)/.%: requirements/%.txt
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --require-hashes --no-deps -r $<
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(DISTRIBUTIONS))
	@touch $@

.PHONY: env
env: $(VENV)/.local ## the environment that `up` and `demo` run in

.PHONY: lint
lint: $(VENV)/.dev ## ruff, mypy strict, import contracts
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports

.PHONY: fmt
fmt: $(VENV)/.dev ## format and sort imports
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.PHONY: lock
lock: $(VENV)/.dev ## resolve requirements/*.in into hash-locked files
	PATH=$(CURDIR)/$(BIN):$$PATH requirements/lock.sh
