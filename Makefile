# Two commands: `make demo` and `make test`. Each makes its own environment first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= 2
# One thread a worker: the tests run in JOBS processes.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -q

.PHONY: demo test test-floor lint docs wheel clean

demo: $(VENV)/.installed
	$(BIN)/python examples/quickstart.py

test: $(VENV)/.installed lint
	$(PYTEST) --doctest-modules skcontrast tests

lint: $(VENV)/.installed
	$(BIN)/ruff check skcontrast tests examples benchmarks
	$(BIN)/ruff format --check skcontrast tests examples benchmarks
	$(BIN)/mypy

# The same tests on the oldest supported scikit-learn.
test-floor: .venv-floor/.installed
	OMP_NUM_THREADS=1 .venv-floor/bin/python -m pytest -n $(JOBS) -q tests

wheel: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --wheel

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Making the environment $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

.venv-floor/.installed: pyproject.toml constraints-floor.txt
	@echo "Making the environment .venv-floor (a few minutes the first time)"
	$(PYTHON) -m venv .venv-floor
	.venv-floor/bin/python -m pip install --quiet --upgrade pip
	.venv-floor/bin/python -m pip install --quiet -c constraints-floor.txt torch
	.venv-floor/bin/python -m pip install --quiet -c constraints-floor.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-floor build dist *.egg-info
