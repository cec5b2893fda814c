# make run    install, build the index, serve the widget on http://127.0.0.1:7860 (PORT= changes it)
# make test   install what tests need; lint, types, tests   (make test-slow and make test-e2e: the long ones, the browser)
# make eval   run every eval suite and decide by the gates
PYTHON ?= python3
PORT ?= 7860
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run build test test-slow test-e2e eval lint types clean browser

run: .venv/.run build
	@echo "Lantern: http://127.0.0.1:$(PORT)  (Ctrl-C stops it)"
	$(BIN)/lantern serve --port $(PORT)

build: .venv/.run
	$(BIN)/lantern build

test: .venv/.dev build lint types
	$(BIN)/python -m pytest -m "not e2e and not slow" -n 2

# The long ones: 10,000 fuzzed turns, thousands of turns with scripted models, and a real browser.
test-slow: .venv/.dev build
	$(BIN)/python -m pytest -m slow

test-e2e: .venv/.dev build browser
	$(BIN)/python -m pytest -m e2e

eval: .venv/.dev build
	$(BIN)/lantern eval

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/lantern knowledge check

types: .venv/.dev
	$(BIN)/mypy

# A stamp each, so that a second run installs nothing. Pip of its own: older ones take a quarter of an hour to resolve these pins.
.venv/.pip:
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) "pip==26.3"
	touch $@

.venv/.run: .venv/.pip pyproject.toml constraints.txt
	$(PIP) "torch==2.13.0"
	$(PIP) -e ".[build]"
	touch $@

.venv/.dev: .venv/.pip pyproject.toml constraints.txt
	$(PIP) "torch==2.13.0"
	$(PIP) -e ".[build,evals,dev]"
	touch .venv/.run $@

# The browser tests drive Debian's Chromium.
browser:
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium)

clean:
	rm -rf .venv .lantern .pytest_cache .mypy_cache .ruff_cache
