# Every target works on a fresh clone: it makes .venv first, from the lock file with hashes.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install lock api format check test weaviate chromium demo up bench bench-gateway bench-retrieval bench-compress bench-explaining clean

help: ## Say what there is to do
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

install: .venv/installed ## Make .venv with everything in it

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: ## Choose new versions of all dependencies (needs uv)
	uv pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate --all-extras pyproject.toml -o requirements.lock
	for service in gateway selector compressor composer; do \
		uv pip compile --quiet --generate-hashes --no-header --no-annotate --extra $$service -c requirements.lock pyproject.toml -o requirements/$$service.lock; \
	done

api: install ## Make the Python API from protos/
	$(BIN)/python tools/generate_api.py

format: install ## Format the code
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

check: install ## Lint, types, import rules, protos, Envoy and Kubernetes files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python tools/generate_api.py --check
	$(BIN)/envoy --mode validate --log-level error --config-path envoy/edge.yaml
	$(BIN)/envoy --mode validate --log-level error --config-path envoy/sidecar.yaml
	$(BIN)/hadolint Dockerfile
	$(BIN)/kubectl kustomize k8s/overlays/prod | $(BIN)/kubernetes-validate --strict --quiet /dev/stdin

weaviate: install ## Build the Weaviate server, unless it is there (needs Go; five minutes)
	$(BIN)/python tools/install_weaviate.py

chromium: ## Install Chromium for the test of the page, unless it is there (Debian, as root)
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core)

test: install ## Run all tests, real Envoy and Valkey among them, and Weaviate where there is one
	$(BIN)/pytest

demo: install ## Start a mesh, ingest this repository, ask three questions, stop
	$(BIN)/python examples/demo.py

up: install ## Start the mesh on this machine
	$(BIN)/scic up

bench: install ## Measure the mesh beside its ceiling, then a gateway under load
	$(BIN)/python -m benchmarks.mesh
	$(BIN)/python -m benchmarks.gateway

bench-gateway: install ## Measure a gateway under load alone
	$(BIN)/python -m benchmarks.gateway

bench-retrieval: install ## Measure what is found, and what finding it costs, on both stores
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.select

bench-explaining: install ## Measure what ledger, masks and quality figures cost
	$(BIN)/python -m benchmarks.compose
	$(BIN)/python -m benchmarks.guard
	$(BIN)/python -m benchmarks.ledger
	$(BIN)/python -m benchmarks.explaining

bench-compress: install ## Measure what compression keeps, and what it costs
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.compress
	$(BIN)/python -m benchmarks.compress_speed

clean: ## Remove what was made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
