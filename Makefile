# Waybill's front door: `make` lists what it can do. Only GNU make and Python 3.11 or newer are needed;
# everything else is installed into .venv, once, and again when a requirements file changes.

PORT ?= 8000
ARGS ?=
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c '$(CAN_HOLD_WAYBILL)' >/dev/null 2>&1 && echo $$python && break; done)

CAN_HOLD_WAYBILL = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
RUNTIME := .venv/.installed-runtime
DEVELOPMENT := .venv/.installed-development

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test quick chaos bench bench-peers costs screenshots check pytest format migrations install venv clean

help: ## List what make can do (the default)
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PORT=8000   where 'make run' serves"
	@echo "  ARGS=...    more arguments for run (serve), test and pytest (pytest), chaos, bench, migrations (makemigrations)"
	@echo "  PYTHON=...  the Python that .venv is made with (3.11 or newer)"

run: $(RUNTIME) ## Run the whole of Waybill: database, demo shop, web, worker and beat (Ctrl-C stops it)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) demo_shop
	@exec $(MANAGE) serve --port $(PORT) $(ARGS)

test: check pytest ## Run all checks, then all tests, on what DATABASE_URL and CELERY_BROKER_URL name

quick: check ## Run all checks, then the tests of what changed since the branch left main
	$(BIN)/python -m tests.quick $(ARGS)

chaos: $(DEVELOPMENT) ## Prove what is promised: crashes, faults, loads, planted bugs; writes docs/proofs.md
	$(BIN)/python -m tests.chaos all $(ARGS)

bench: $(DEVELOPMENT) ## Measure what is promised beside programs that promise nothing; writes docs/performance.md
	$(BIN)/python -m tests.bench $(ARGS)

bench-peers: $(DEVELOPMENT) ## The same beside django-oscar, which it installs into var/bench/peers
	$(BIN)/python -m tests.bench.peers
	$(BIN)/python -m tests.bench --only j $(ARGS)

costs: $(DEVELOPMENT) ## Count what each command and reaction costs now, and write it into docs/costs.md
	$(BIN)/python -m pytest -q -n 0 tests/test_queries.py -k told --record-costs

screenshots: $(DEVELOPMENT) ## Take the screenshots of the docs of a demo shop, with the browser that is installed
	$(BIN)/python -m tests.screenshots

check: $(DEVELOPMENT) ## Lint, formatting, types, the dependency rule, Django's own checks, missing migrations, promises of events
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo
	$(MANAGE) check
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) contracts check

pytest: $(DEVELOPMENT) ## Run only the tests, on all cores
	@$(BIN)/python -m tests.browser --install
	$(BIN)/python -m pytest -n auto $(ARGS)

format: $(DEVELOPMENT) ## Put the code into its one form, and mend what ruff can mend
	$(BIN)/python -m ruff check --fix-only --quiet .
	$(BIN)/python -m ruff format .

migrations: $(RUNTIME) ## Write the migrations that the models call for
	$(MANAGE) makemigrations $(ARGS)

install: $(RUNTIME) ## Make or refresh .venv, with what Waybill runs on
	@echo ".venv is ready: $$($(BIN)/python --version)"

venv: $(DEVELOPMENT) ## Make or refresh .venv, with all it takes to work on Waybill
	@echo ".venv is ready: $$($(BIN)/python --version)"

clean: ## Remove .venv, caches and collected files; var/, which holds your data, stays
	rm -rf .venv staticfiles .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@echo "Installing what it takes to work on Waybill into .venv ..."
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# A .venv that was left half made, or whose Python has gone, is made anew.
$(RUNTIME): requirements.txt $(BIN)/python
	@if ! $(BIN)/python -c 'import pip; $(CAN_HOLD_WAYBILL)' >/dev/null 2>&1; then \
		python="$(PYTHON)"; \
		$${python:-false} -c '$(CAN_HOLD_WAYBILL)' || { \
			echo "Waybill needs Python 3.11 or newer with its venv module (on Debian: python3-venv)."; \
			echo "None was found$${python:+ in $$python}; name one with: make PYTHON=/path/to/python3"; \
			exit 1; } >&2; \
		echo "Making .venv with $$($$python --version) ..."; \
		$$python -m venv --clear .venv; \
	fi
	@echo "Installing what Waybill runs on into .venv (once; this takes a minute) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(BIN)/python: ;
