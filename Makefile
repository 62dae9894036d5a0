# Everything a new machine needs: make predict, make emulate, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev

.PHONY: predict emulate quick test test-all test-nas calibration recount lint bench firmware-tools nas-tools clean docs

# The main job on a model that the project generates.
predict: $(STAMP)
	mkdir -p build && $(BIN)/predict example -o build/ds_cnn.tflite
	$(BIN)/predict build/ds_cnn.tflite --board f746zg

# Person detection, or MODEL=file.tflite, in real TFLM firmware on an emulated board.
emulate: MODEL ?= build/person_detection.tflite
emulate: $(STAMP) firmware-tools
	mkdir -p build && $(BIN)/predict example person_detection -o build/person_detection.tflite
	$(BIN)/predict emulate $(MODEL) --board f746zg

# Seconds, before each commit: lint, types, and the tests that the change most likely breaks.
quick: $(DEVELOPMENT)
	$(BIN)/python -m tools.quick

# The suite as CI runs it, on so many processes; test-all adds the tests that take minutes.
test: JOBS ?= 2
test: $(DEVELOPMENT) firmware-tools
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist worksteal

test-all: $(DEVELOPMENT) firmware-tools
	$(BIN)/python -m pytest

# The architecture search alone; needs TensorFlow, which the other targets do without.
test-nas: nas-tools
	$(BIN)/python -m pytest -m "not slow" tests/nas

# The calibrations that ship, from published measurements; the last board leans on the others.
calibration: $(DEVELOPMENT)
	for board in f446re f767zi f746zg; do \
	  $(BIN)/predict calibrate predictor/boards/published.csv --board predictor/boards/$$board.toml \
	    --plots build/calibration/$$board || exit 1; \
	done

# What a changed kernel or TFLM revision invalidates, measured again: TFLM=tree with built libraries;
# STEPS="truth counts fits sizes" and CORES="cortex-m4 cortex-m7" choose parts.
recount: $(DEVELOPMENT) firmware-tools
	@test -n "$(TFLM)" || { echo "name TFLM's source tree: make recount TFLM=path"; exit 2; }
	$(BIN)/python -m tools.recount $(TFLM) $(if $(STEPS),--steps $(STEPS)) $(if $(CORES),--cores $(CORES))

lint: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site of the documentation, notebooks executed: build/site/index.html.
docs: $(DEVELOPMENT)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

bench: $(DEVELOPMENT)
	$(BIN)/python -m benchmarks.predictor
	mkdir -p build && $(BIN)/predict example -o build/ds_cnn.tflite
	$(BIN)/python -m benchmarks.emulation_speed build/ds_cnn.tflite
	$(BIN)/python -m benchmarks.shadow_memory build/ds_cnn.tflite

# TensorFlow and a speech synthesiser, for nas/ and its tests.
nas-tools: $(VENV)/.nas-installed
	@command -v espeak-ng >/dev/null || ./tools/install_debian.sh espeak-ng

$(VENV)/.nas-installed: $(STAMP)
	$(BIN)/python -m pip install --quiet -e ".[nas]"
	touch $@

# The compiler of the firmware, where it is missing.
firmware-tools:
	@command -v arm-none-eabi-g++ >/dev/null && command -v cmake >/dev/null && command -v cargo >/dev/null \
	  && test -e "$$(arm-none-eabi-g++ -print-file-name=libstdc++.a)" \
	  || ./tools/install_debian.sh gcc gcc-arm-none-eabi libnewlib-arm-none-eabi \
	       libstdc++-arm-none-eabi-newlib cmake ninja-build cargo

# What users have, and on top of it what development needs. Warnings of the build tools are not ours.
INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(STAMP): pyproject.toml predictor/emulation/unicorn/_blockcount.c predictor/emulation/unicorn/_accesses.c predictor/optimization/_placement.c
	$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV) && ./tools/install_debian.sh python3-venv && $(PYTHON) -m venv $(VENV))
	$(INSTALL) -e ".[emulate]"
	touch $@

$(DEVELOPMENT): $(STAMP)
	$(INSTALL) -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build
