# Every target does its own set-up in .venv; Python 3.11 to 3.13 and make are all it needs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
EXTRAS := train,synth,app,docs,ray,dev

.PHONY: demo test test-slow test-processors test-faults test-oldest test-newest format bench docs release clean

demo: $(READY)
	$(BIN)/au demo --out demo

# One thread a worker: two workers that each start a thread per core only wait for each other.
test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --durations=10

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow --durations=10

# The tests of learning in 27 settings of processor, threads and seed: about half an hour.
test-processors: $(READY)
	$(BIN)/python tests/processors.py

# 10,000 broken inputs of all kinds, by a new seed each time: about 50 minutes.
test-faults: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/faults/try_faults.py

# With the oldest versions that pyproject.toml allows, and with the newest that there are.
test-oldest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-oldest test-newest: $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/$@
	$(BIN)/uv pip install --quiet --python build/$@/bin/python --resolution $(RESOLUTION) -e '.[$(EXTRAS)]'
	OMP_NUM_THREADS=1 build/$@/bin/python -m pytest -n auto

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

# build/site/index.html opens from the disk; what pages repeat of data elsewhere is brought up to date first.
docs: $(READY)
	$(BIN)/python docs/building/tables.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What would be handed out, in dist/: of what is committed alone, looked through and tried; nothing is uploaded.
release: $(READY)
	git diff --quiet HEAD || { echo "release: commit your changes first"; exit 1; }
	$(BIN)/python -m pytest -m "slow or not slow" tests/test_release.py
	rm -rf build/release dist && mkdir -p build/release
	git archive HEAD | tar -x -C build/release
	$(BIN)/uv build --quiet --out-dir dist build/release
	ls -l dist

clean:
	rm -rf .venv build demo dist runs

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[$(EXTRAS)]'
	touch $(READY)
