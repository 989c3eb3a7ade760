# On a fresh machine, `make demo` and `make test` need nothing else: each sets up its environment first.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup docs demo test test-fast test-kubernetes chart manifests soak check lint types format lock bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

setup: $(VENV)/ready ## Create the virtual environment from pinned requirements with hashes

demo: setup ## Run the daemon on an embedded broker and tenant, and verify the result
	$(BIN)/datacloud-consumer demo

test: setup ## Run all tests but Kubernetes; tests without their tool (JDK 17 + Maven, PostgreSQL, Chromium) are skipped
	$(BIN)/pytest -n 2 --dist loadgroup

test-fast: setup ## Run the tests that need no broker and no browser
	$(BIN)/pytest -m "not kafka and not page and not soak and not kubernetes"

test-kubernetes: setup ## Test the chart with Helm and a Kubernetes API server, which Go builds once per machine
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/kubernetes.txt
	$(BIN)/python -m tests.kubernetes.tools
	$(BIN)/pytest -m kubernetes tests/kubernetes

docs: setup ## Write the generated pages and tables: docs/cli.md, docs/file-map.md, docs/log-events.md, docs/testing.md
	$(BIN)/python -m tests.unit.docs.generated

chart: setup ## Generate the chart's schema and README from values.yaml and the configuration's schema
	$(BIN)/python -m tests.kubernetes.chart_files

manifests: setup ## Generate the manifests in deploy/ from the chart
	$(BIN)/python -m tests.kubernetes.tools
	$(BIN)/python -m tests.kubernetes.deploy_files

soak: setup ## Run the long load and failure tests, with a report in build/soak.txt; see docs/testing.md
	$(BIN)/pytest -p tests.soak_report -m soak $(SOAK)

check: setup lint types ## Run lint, type checks and the architecture test
	$(BIN)/pytest --quiet tests/test_architecture.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Update the pinned requirements, with hashes
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet uv==$(UV_VERSION)
	UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --upgrade pyproject.toml --all-extras \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -o requirements/run.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --upgrade pyproject.toml --group dev \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -o requirements/dev.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --upgrade --group kubernetes -c requirements/dev.txt \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -o requirements/kubernetes.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --upgrade --group image -c requirements/dev.txt \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -o requirements/image.txt

bench: setup ## Measure throughput and CPU per record against a baseline of the same run, on a real broker
	$(BIN)/python -m bench.run
	$(BIN)/python -m bench.conversions

clean: ## Remove all generated files
	rm -rf $(VENV) build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
