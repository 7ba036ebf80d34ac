# Two commands: `make demo` and `make test`. Each makes its own environment first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= 2
DOCS_EXAMPLES ?= 1
TESTS ?= skcontrast tests
CHECK = $(BIN)/python -m pytest -n $(JOBS) -q --doctest-modules $(TESTS)
RELEASE = .venv-release
# Torch, its two libraries, NumPy and BLAS as on a processor that knows SSE alone, or AVX2 too.
SSE = ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE \
	NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL" OPENBLAS_CORETYPE=Haswell
AVX2 = ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL" OPENBLAS_CORETYPE=Zen

.PHONY: demo test test-cpus test-floor coverage fuzz torture lint golden docs wheel release-check clean

demo: $(VENV)/.installed
	$(BIN)/python examples/quickstart.py

test: $(VENV)/.installed lint
	OMP_NUM_THREADS=1 $(CHECK)  # the tests run in JOBS processes, with one thread each

# The same tests as on older processors, with one thread a process and with two.
test-cpus: $(VENV)/.installed
	for n in 1 2; do export OMP_NUM_THREADS=$$n OMP_WAIT_POLICY=passive; \
		$(SSE) $(CHECK) && $(AVX2) $(CHECK) || exit 1; done

# The same tests, and how many lines of the package they reach.
coverage: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(CHECK) --cov --cov-report=term --cov-fail-under=95

# Kills, damaged and hostile files, full disks and threads: docs/reliability.md has the counts.
torture: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture.py

# 10,000 drawn calls of every estimator, about ten minutes.
fuzz: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py --calls 10000

lint: $(VENV)/.installed
	$(BIN)/ruff check skcontrast tests examples benchmarks
	$(BIN)/ruff format --check skcontrast tests examples benchmarks
	$(BIN)/mypy

# The same tests on the oldest supported scikit-learn.
test-floor: .venv-floor/.installed
	OMP_NUM_THREADS=1 .venv-floor/bin/python -m pytest -n $(JOBS) -q tests

# The site, in docs/_build/html. `make docs DOCS_EXAMPLES=0` leaves the examples out of the run.
docs: $(VENV)/.installed-docs
	OMP_NUM_THREADS=1 SKCONTRAST_DOCS_EXAMPLES=$(DOCS_EXAMPLES) $(BIN)/python -m sphinx -b html -W --keep-going \
		docs docs/_build/html

# The numbers that tests/test_own_golden.py compares with.
golden: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python tests/make_golden.py

wheel: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --wheel

# Both archives, built and checked; then the wheel in a new environment, away from this folder.
release-check: $(VENV)/.installed
	rm -rf dist $(RELEASE)
	for name in tools user; do $(PYTHON) -m venv $(RELEASE)/$$name || exit 1; done
	$(RELEASE)/tools/bin/python -m pip install --quiet build twine
	$(RELEASE)/tools/bin/python -m build
	$(RELEASE)/tools/bin/twine check --strict dist/*
	OMP_NUM_THREADS=1 $(BIN)/python tests/release_check.py sdist
	$(RELEASE)/user/bin/python -m pip install --quiet -c constraints.txt torch
	$(RELEASE)/user/bin/python -m pip install --quiet -c constraints.txt "$$(echo dist/*.whl)[io]"
	cd $(RELEASE) && user/bin/python ../tests/release_check.py wheel

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Making the environment $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

.venv-floor/.installed: pyproject.toml constraints-floor.txt
	@echo "Making the environment .venv-floor (a few minutes the first time)"
	$(PYTHON) -m venv .venv-floor
	.venv-floor/bin/python -m pip install --quiet --upgrade pip
	.venv-floor/bin/python -m pip install --quiet -c constraints-floor.txt torch
	.venv-floor/bin/python -m pip install --quiet -c constraints-floor.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-floor $(RELEASE) build dist *.egg-info
	rm -rf docs/_build docs/generated docs/auto_examples
