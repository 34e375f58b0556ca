# `make` lists the targets. They need only GNU make and Python 3.11 or newer. Everything else is installed into .venv,
# once, and again when a requirements file changes.

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
.PHONY: help run test quick chaos mutants bench bench-peers costs screenshots check pytest format migrations install venv clean

help: ## List the targets (the default)
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PORT=8000   where 'make run' serves"
	@echo "  ARGS=...    more arguments for run (serve), test, quick and pytest (pytest), chaos, mutants, bench, migrations (makemigrations)"
	@echo "  PYTHON=...  the Python to create .venv with (3.11 or newer)"

run: $(RUNTIME) ## Run Waybill: database, demo shop, web, worker and beat (Ctrl-C stops it)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) demo_shop
	@exec $(MANAGE) serve --port $(PORT) $(ARGS)

test: check pytest ## Run all checks, then all tests, on the servers that DATABASE_URL and CELERY_BROKER_URL name

quick: check ## Run all checks, then the tests of what changed since the branch left main
	$(BIN)/python -m tests.quick $(ARGS)

chaos: $(DEVELOPMENT) ## Test the promises under crashes, faults, load and planted bugs; writes docs/proofs.md
	$(BIN)/python -m tests.chaos all $(ARGS)

mutants: $(DEVELOPMENT) ## Plant small faults in the code, and count how many the tests catch; add ARGS="--changed --sample 20"
	$(BIN)/python -m tests.mutants --processes 2 --keep $(ARGS)

bench: $(DEVELOPMENT) ## Compare the speed with programs without guarantees; writes docs/performance.md
	$(BIN)/python -m tests.bench $(ARGS)

bench-peers: $(DEVELOPMENT) ## Compare the speed with django-oscar, which is installed into var/bench/peers
	$(BIN)/python -m tests.bench.peers
	$(BIN)/python -m tests.bench --only j $(ARGS)

costs: $(DEVELOPMENT) ## Count the statements and commits of each command and reaction, and update docs/costs.json and costs.md
	$(BIN)/python -m pytest -q -n 0 tests/test_queries.py -k costs --record-costs

screenshots: $(DEVELOPMENT) ## Take the screenshots of the docs from a demo shop, with the installed browser
	$(BIN)/python -m tests.screenshots

check: $(DEVELOPMENT) ## Check lint, formatting, types, import rules, Django, missing migrations, compatibility of events
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m bandit -q -c pyproject.toml -r .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo
	$(MANAGE) check
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) contracts check

pytest: $(DEVELOPMENT) ## Run only the tests, on all cores
	@$(BIN)/python -m tests.browser --install
	$(BIN)/python -m pytest -n auto $(ARGS)

format: $(DEVELOPMENT) ## Format the code, and apply the fixes of ruff
	$(BIN)/python -m ruff check --fix-only --quiet .
	$(BIN)/python -m ruff format .

migrations: $(RUNTIME) ## Create the migrations for changed models
	$(MANAGE) makemigrations $(ARGS)

install: $(RUNTIME) ## Create or update .venv with the runtime requirements
	@echo ".venv is ready: $$($(BIN)/python --version)"

venv: $(DEVELOPMENT) ## Create or update .venv with the development requirements
	@echo ".venv is ready: $$($(BIN)/python --version)"

clean: ## Remove .venv, caches and collected files, but not var/, which holds your data
	rm -rf .venv staticfiles .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@echo "Installing the development requirements into .venv ..."
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# An incomplete .venv, or one whose Python is gone, is created again.
$(RUNTIME): requirements.txt $(BIN)/python
	@if ! $(BIN)/python -c 'import pip; $(CAN_HOLD_WAYBILL)' >/dev/null 2>&1; then \
		python="$(PYTHON)"; \
		$${python:-false} -c '$(CAN_HOLD_WAYBILL)' || { \
			echo "Waybill needs Python 3.11 or newer with its venv module (on Debian: python3-venv)."; \
			echo "None was found$${python:+ in $$python}; name one with: make PYTHON=/path/to/python3"; \
			exit 1; } >&2; \
		echo "Creating .venv with $$($$python --version) ..."; \
		$$python -m venv --clear .venv; \
	fi
	@echo "Installing the runtime requirements into .venv (once; this takes a minute) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(BIN)/python: ;
