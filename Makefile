# Everything a new machine needs: make predict, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: predict test test-all lint bench clean

# The main job on a model that the project generates.
predict: $(STAMP)
	$(BIN)/python -m benchmarks.example_model build/ds_cnn.tflite
	$(BIN)/predict build/ds_cnn.tflite --board f746zg

# The suite as CI runs it; test-all adds the tests that take minutes.
test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow"

test-all: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks.predictor

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV) && ./tools/install_debian.sh python3-venv && $(PYTHON) -m venv $(VENV))
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build
