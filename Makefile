# Each target sets up .venv by itself; a second call starts at once. GPU=auto|none|cpu|cuda picks the training stack.
GPU ?= auto
PYTHON ?= python3
BIN := .venv/bin
SETUP := $(PYTHON) tools/setup.py --gpu $(GPU)
# Tests that hold neither the real engine nor a browser share two cores: two processes, a thread and a file at a time.
QUICK := not engine and not browser and not long
TWO := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: setup run demo test bench faults lint unit screenshots clean

setup:
	@$(SETUP)

run:
	@$(SETUP)
	@$(BIN)/grouper prepare
	@$(BIN)/python app.py

demo:
	@$(SETUP)
	@$(BIN)/grouper launch --recipe addition --model smollm2-135m --name demo --wait

lint:
	@$(SETUP) --with test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/docs.py --check

unit:
	@$(SETUP) --with test
	@$(TWO) -m "$(QUICK) and not tree"

test: lint
	@$(BIN)/python tools/browser.py
	@$(TWO) -m "$(QUICK)"
	@$(BIN)/pytest -m "not long and (engine or browser)"

faults:
	@$(SETUP) --with test
	@$(BIN)/pytest -m long
	@PYTHONPATH=.:tests $(BIN)/python -W ignore tests/faults/campaign.py

screenshots:
	@$(SETUP) --with test
	@$(BIN)/python tools/browser.py
	@$(BIN)/python -W ignore tools/screenshots.py

bench:
	@$(SETUP)
	@$(BIN)/grouper bench plan --json

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
