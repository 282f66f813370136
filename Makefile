# Two commands are enough on a fresh machine with Python 3.11 and make: `make run` and `make test`.
# Everything is installed into .venv, from lock files with hashes, and again only when a lock changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
UI := entrypoints/ui/static/vendor/installed.json
PIP := -m pip --disable-pip-version-check --quiet
# $(call install,environment,lock file): by uv, where there is one, in a fraction of pip's time; else by pip.
uv-install = uv pip install --quiet --compile-bytecode --python $(1)/bin/python --require-hashes -r $(2)
pip-install = $(1)/bin/python $(PIP) install --require-hashes -r $(2)
install = { command -v uv >/dev/null && $(uv-install); } || $(pip-install)
BENCHMARKS ?=
# Processes that share the tests, one more than processors, as many tests wait for servers; 0 runs them in
# one, which a debugger wants. Forked where that is safe.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$(( cores < 4 ? cores + 1 : 4 )))
FORKED := $(filter Linux,$(shell uname -s))
IN_PARALLEL = $(if $(FORKED),-p tests.forked --forks,--dist loadfile -n) $(WORKERS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

.PHONY: run
run: $(RUNTIME) ui ## Run the server (PORT=8081 make run, ARGS="--workers 2")
	@exec $(BIN)/interchange serve --exit-with-parent $(ARGS)

.PHONY: test
test: $(DEV) ui ## Run the tests (ARGS="tests/unit -k breaker")
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## Only the tests that draw at random, with five times their examples (TIMES=20, ARGS="tests/unit/wire")
	@INTERCHANGE_FUZZ=$(or $(TIMES),5) $(BIN)/python -m pytest $(IN_PARALLEL) $(or $(ARGS),tests/unit)

.PHONY: thorough
thorough: $(DEV) ui ## Every attack, every page in every sight, every seed; else they take turns (ARGS="tests/ui")
	@INTERCHANGE_THOROUGH=1 $(BIN)/python -m pytest $(IN_PARALLEL) $(or $(ARGS),tests/security tests/ui tests/simulation tests/unit/caching tests/unit/anomalies tests/unit/experiments)

.PHONY: ui
ui: $(UI) ## Fetch the libraries of /ui with npm (once; done by run, test and wheel)

.PHONY: check
check: lint types imports coverage ## Everything CI runs

.PHONY: parts
parts: $(DEV) ## Bring the real parts of tests that come from npm; else the first test that needs one waits for it
	@$(BIN)/python -m tests.node_parts

.PHONY: lint
lint: $(DEV) ## Style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: $(DEV) ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: $(DEV) ## Type check, strict
	$(BIN)/mypy

.PHONY: imports
imports: $(DEV) ## Who may import whom
	$(BIN)/lint-imports

.PHONY: coverage
coverage: $(DEV) ui ## Tests with the coverage that must be kept
	@rm -f .coverage.json .interchange-test/not-run
	@# Preparing assertions to explain themselves takes a minute; what fails explains itself when it is tried again.
	INTERCHANGE_FAILED_TESTS=.interchange-test/failed \
	$(BIN)/python -m slipcover --json --out .coverage.json -m pytest $(IN_PARALLEL) --assert=plain $(ARGS) \
	|| INTERCHANGE_FAILED_TESTS=.interchange-test/failed $(BIN)/python -m tests.once_more
	$(BIN)/python -m tests.coverage_kept .coverage.json .interchange-test/not-run

.PHONY: audit
audit: $(VENV)-audit/.installed ## Known vulnerabilities of the locked packages (needs the network)
	@.ci/audit $(VENV)-audit/bin/pip-audit requirements/runtime.lock requirements/build.lock

.PHONY: sbom
sbom: $(VENV)-audit/.installed ## Write what an installation consists of (CycloneDX) to dist/sbom.cdx.json
	@.ci/sbom $(VENV)-audit/bin/cyclonedx-py requirements/runtime.lock dist/sbom.cdx.json

.PHONY: bench
bench: $(DEV) ## Measure (needs wrk and nginx; BENCHMARKS=--quick; see docs/benchmarks.md)
	@$(BIN)/python -m benchmarks.run $(BENCHMARKS)

.PHONY: batch-proof
batch-proof: $(DEV) ## Kill a server in the middle of a batch of 10,000 lines, and count (ARGS="--lines 500")
	@$(BIN)/python -m benchmarks.batch_proof $(ARGS)

.PHONY: storm
storm: $(DEV) ## Rage against hard budgets on PostgreSQL and a Redis Cluster, and compare bills (ARGS="--seed 3")
	@$(BIN)/python -m benchmarks.overspend_storm $(or $(ARGS),--postgres --redis)

.PHONY: clients
clients: $(DEV) $(VENV)-clients/.installed .clients/.installed ## Run real clients against a real server and write docs/compatibility.md (CLIENTS="codex")
	@$(BIN)/python -m tests.clients $(CLIENTS)

.PHONY: dashboards
dashboards: $(RUNTIME) ## Write the dashboards for Grafana (ARGS="--interchange https://… --handbook https://…")
	@$(BIN)/python -m contracts.dashboards $(ARGS)

.PHONY: simulate
simulate: $(DEV) ## Simulate whole installations in virtual time (SEED=7, ARGS="--seeds 500")
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: wheel
wheel: $(RUNTIME) ## Build dist/*.whl
	@$(BIN)/python -m entrypoints.jobs.ui_libraries --required
	$(BIN)/python $(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: lock
lock: ## Write the lock files anew (needs the network)
	$(PYTHON) -m venv $(VENV)-lock
	$(call pip-install,$(VENV)-lock,requirements/ci.lock)
	$(VENV)-lock/bin/uv pip compile requirements/build.in $(LOCK_OPTIONS) -o requirements/build.lock
	$(VENV)-lock/bin/uv pip compile pyproject.toml $(LOCK_OPTIONS) -o requirements/runtime.lock
	$(VENV)-lock/bin/uv pip compile pyproject.toml --group dev $(LOCK_OPTIONS) -o requirements/dev.lock
	$(VENV)-lock/bin/uv pip compile requirements/ci.in $(LOCK_OPTIONS) -o requirements/ci.lock
	$(VENV)-lock/bin/uv pip compile requirements/audit.in $(LOCK_OPTIONS) -o requirements/audit.lock
	$(VENV)-lock/bin/uv pip compile requirements/clients.in $(CLIENTS_LOCK_OPTIONS) -o requirements/clients.lock
	cd tests/clients && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	cd tests/oidc && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	cd entrypoints/ui/libraries && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	cd tests/ui && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	cd tests/azurite && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet $(UPGRADE)
# One version each, which the page of clients names.
CLIENTS_LOCK_OPTIONS := --python-platform linux $(filter-out --universal,$(LOCK_OPTIONS))

.PHONY: clean
clean: ## Remove what was installed and built; .interchange (your data) stays
	rm -rf $(VENV) $(VENV)-lock $(VENV)-audit $(VENV)-clients .clients dist build node_modules .coverage* .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; set PYTHON=…"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(RUNTIME): requirements/runtime.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "Installing what Interchange needs into $(VENV) (once) …"
	@$(call install,$(VENV),requirements/runtime.lock)
	@$(call install,$(VENV),requirements/build.lock)
	@$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements/dev.lock
	@echo "Installing what the tests need into $(VENV) (once) …"
	@$(call install,$(VENV),requirements/dev.lock)
	@touch $@

# Without npm or a network the server runs all the same, and the next make tries again.
$(UI): entrypoints/ui/libraries/package.json entrypoints/ui/libraries/package-lock.json | $(RUNTIME)
	@$(BIN)/python -m entrypoints.jobs.ui_libraries && { [ ! -e $@ ] || touch $@; }

$(VENV)-clients/.installed: requirements/clients.lock | $(BIN)/python
	@echo "Installing the Python clients into $(VENV)-clients (once) …"
	@$(PYTHON) -m venv $(VENV)-clients
	@$(call install,$(VENV)-clients,requirements/clients.lock)
	@touch $@

# Without Node only the Python clients run; `make clients` says so, and fails where everything is required.
.clients/.installed: tests/clients/package.json tests/clients/package-lock.json
	@mkdir -p .clients && cp tests/clients/package.json tests/clients/package-lock.json .clients/
	@command -v npm >/dev/null || { echo "npm is missing: the npm clients are not installed"; exit 0; }; \
	  echo "Installing the npm clients into .clients (once) …"; \
	  cd .clients && npm ci --no-audit --no-fund --loglevel=error && touch .installed

$(VENV)-audit/.installed: requirements/audit.lock | $(BIN)/python
	@echo "Installing what audits packages into $(VENV)-audit (once) …"
	@$(PYTHON) -m venv $(VENV)-audit
	@$(call install,$(VENV)-audit,requirements/audit.lock)
	@touch $@
