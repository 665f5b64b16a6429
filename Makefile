# The front door: `make help`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := libs/contracts libs/verdicts libs/store libs/artifacts libs/telemetry operator services/gateway services/engine services/worker services/cli training-jobs dashboards
SOURCES := $(DISTRIBUTIONS) tests benchmarks scripts deploy/cluster deploy/images
PACKAGES := libs/contracts/slipway_contracts libs/verdicts/slipway_verdicts libs/store/slipway_store libs/artifacts/slipway_artifacts libs/telemetry/slipway_telemetry operator/slipway_operator services/gateway/slipway_gateway services/engine/slipway_engine services/worker/slipway_worker services/cli/slipway_cli training-jobs/slipway_training dashboards/slipway_dashboards dashboards/slipway_rules deploy/cluster/slipway_cluster deploy/images/slipway_images
# Compiling torch, Ray and vLLM anew in every process would cost minutes.
unexport PYTHONDONTWRITEBYTECODE

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

$(VENV)-bench/.ready: requirements/bench.txt
	@[ -x $(VENV)-bench/bin/python ] || $(PYTHON) -m venv $(VENV)-bench
	VIRTUAL_ENV=$(CURDIR)/$(VENV)-bench $(BIN)/uv pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

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

# When make began: the demo's bars count from there, so `test` makes it in a make of its own.
MADE_AT := $(shell date +%s.%N)
DEMO_HOME := $(CURDIR)/.slipway
# OBSERVE=1: with a Prometheus, whose alerts the demo's report then judges, too.
OBSERVED := $(if $(OBSERVE),--observe)

.PHONY: up
up: env ## the demo's lifecycle, then it stays up with its URLs until Ctrl-C
	$(if $(OBSERVE),$(CLUSTER) tools prometheus)
	SLIPWAY_HOME=$(DEMO_HOME) $(BIN)/slipway up --demo $(OBSERVED) --made-at $(MADE_AT)

.PHONY: demo
demo: env ## the demo from nothing to its report, then everything stops
	@SLIPWAY_HOME=$(DEMO_HOME) $(BIN)/slipway down --purge
	$(if $(OBSERVE),$(CLUSTER) tools prometheus)
	SLIPWAY_HOME=$(DEMO_HOME) $(BIN)/slipway up --demo --once $(OBSERVED) --made-at $(MADE_AT)

.PHONY: down
down: env ## stop what `up` or `demo` left and delete its data
	SLIPWAY_HOME=$(DEMO_HOME) $(BIN)/slipway down --purge

# Their tools are built from Go modules; tests/not_run.py says what is left out without Go.
KUBERNETES_TIERS := $(if $(shell command -v go),charts apiserver)

.PHONY: test
test: lint verify unit $(KUBERNETES_TIERS) hermetic local ## everything that this machine can run, then what it could not
	@if $(CLUSTER) able 2>/dev/null; then $(MAKE) --no-print-directory on-cluster; fi
	@$(MAKE) --no-print-directory demo
	@$(BIN)/python tests/not_run.py

# Files go to two processes; each has its own servers.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile

.PHONY: unit
unit: $(VENV)/.dev ## pure tests, no sockets; the lifecycle core with full branch coverage
	$(PYTEST) tests/unit --cov=slipway_operator.core --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

.PHONY: charts
charts: $(VENV)/.dev ## the Helm chart: lint, suites, schema, kubeconform, installs on a bare API server
	$(CLUSTER) tools charts apiserver
	$(PYTEST) tests/charts

# The gateway as its image has it, with a compiled hot path; beside the checkout, where no extension
# hides an edit. Without a C compiler and Python's headers the interpreted one is tested.
COMPILED := .compiled
PYTHON_H := $(wildcard $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h)
COMPILES := $(if $(and $(shell command -v cc),$(PYTHON_H)),$(COMPILED)/.ready)
OF_GATEWAY := libs/contracts libs/store libs/telemetry services/gateway
$(COMPILED)/.ready: $(VENV)/.dev $(shell find $(OF_GATEWAY) -name '*.py')
	rm -rf $(COMPILED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --target $(COMPILED) $(addprefix ./,$(OF_GATEWAY))
	$(BIN)/python services/gateway/compile.py $(COMPILED)
	@touch $@

.PHONY: hermetic
hermetic: $(VENV)/.dev $(COMPILES) ## real processes, a real PostgreSQL and a real S3 server, a fake engine
	$(if $(shell command -v go),$(CLUSTER) tools minio)
	-$(CLUSTER) tools observability
	-$(CLUSTER) browser
	-$(if $(shell command -v npm),npm ci --prefix tests/node --silent)
	$(if $(COMPILES),SLIPWAY_COMPILED=$(CURDIR)/$(COMPILED)) $(PYTEST) tests/hermetic

.PHONY: apiserver
apiserver: $(VENV)/.dev ## a real etcd and kube-apiserver, no nodes
	$(CLUSTER) tools apiserver
	$(PYTEST) tests/apiserver

.PHONY: local
local: $(VENV)/.dev ## real engines on this machine
	$(BIN)/pytest tests/local

.PHONY: soak
soak: $(VENV)/.dev ## hours: the operator dies after each single write, the demo on a cluster, 2,000 versions
	$(CLUSTER) tools apiserver
	SLIPWAY_SOAK=1 $(BIN)/pytest tests/apiserver/restarts
	@$(MAKE) --no-print-directory soak-gateway
	SLIPWAY_SOAK=1 $(MAKE) --no-print-directory on-cluster
	@$(MAKE) --no-print-directory demo-cluster bench-operator

# Storms of the log, the worker and clients, then fuzzers: those led by coverage need Python's code.
FUZZERS := tests/unit/gateway/test_gateway_sniff_fuzz.py tests/unit/gateway/test_gateway_dialect_fuzz.py
.PHONY: soak-gateway
soak-gateway: $(VENV)/.dev $(COMPILES) ## an hour: the gateway's and the worker's storms and fuzzers at full size
	SLIPWAY_SOAK=1 $(if $(COMPILES),SLIPWAY_COMPILED=$(CURDIR)/$(COMPILED)) $(BIN)/pytest -rA tests/hermetic/hostile tests/hermetic/worker/test_worker_faults.py tests/hermetic/gateway/test_gateway_log_storm.py
	SLIPWAY_SOAK=1 $(if $(COMPILES),PYTHONPATH=$(CURDIR)/$(COMPILED)) $(BIN)/pytest -rA $(FUZZERS) -k 'not led_by_coverage'
	SLIPWAY_SOAK=1 $(BIN)/pytest -rA $(FUZZERS) -k led_by_coverage

.PHONY: verify
verify: $(VENV)/.dev ## regenerate what is generated and fail on a difference
	$(BIN)/python scripts/generate.py --check

.PHONY: bench-gateway
bench-gateway: $(VENV)/.dev $(VENV)-bench/.ready $(COMPILES) ## every bar of the gateway beside its peers, in one run; BENCH="--only relay"
	$(BIN)/python -m benchmarks.bench_gateway $(BENCH)

.PHONY: bench-operator
bench-operator: $(VENV)/.dev ## our operator beside a stock Kopf operator, 2,000 versions on KWOK nodes
	$(PYTHON) deploy/cluster tools apiserver kube-scheduler kwok
	PYTHONPATH=deploy/cluster $(BIN)/python -m benchmarks.operator

.PHONY: images
images: ## build what changed of the container images, print their sizes
	$(PYTHON) deploy/images build
	$(PYTHON) deploy/images sizes

CLUSTER := $(PYTHON) deploy/cluster
.PHONY: tools
tools: ## build the Kubernetes tools that are missing (TOOLS="apiserver charts" for a subset)
	$(CLUSTER) tools $(TOOLS)

.PHONY: cluster
cluster: ## a real one-node Kubernetes with KubeRay (also: cluster-status, cluster-logs)
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## end it; images and tools stay in the cache
	$(CLUSTER) down

.PHONY: demo-cluster
demo-cluster: cluster env ## the demo's story on that cluster: images, chart, four versions, report
	$(PYTHON) deploy/images build
	$(PYTHON) deploy/images load
	$(CLUSTER) install
	@KUBECONFIG=$$($(CLUSTER) kubeconfig) $(BIN)/python -m slipway_cli.demo.on_cluster --home $(CURDIR)/.slipway-cluster; \
	played=$$?; $(CLUSTER) remove && exit $$played

.PHONY: on-cluster
on-cluster: $(VENV)/.dev ## the cluster tier: faults in a canary, versions that cannot come up, deletions
	$(CLUSTER) tools
	$(PYTHON) deploy/images build
	$(BIN)/pytest tests/cluster

.PHONY: cluster-status
cluster-status: # what of the cluster runs
	$(CLUSTER) status

.PHONY: cluster-logs
cluster-logs: # the ends of its processes' logs
	$(CLUSTER) logs
