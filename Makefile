# Everything a person types. The first target also works on a fresh clone: it makes .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Tests are spread over the cores; each keeps to one thread. Those with a host start servers of their own, one at a time.
PYTEST := $(BIN)/pytest
SPREAD := -n auto --dist worksteal

.PHONY: test test-all test-host check lint types quick-tests all-tests format demo benchmark compare clean

# At every save: no types, and no test of more than two seconds.
test: lint quick-tests

# All that needs no host; CI runs this. Types have no use for a second core, the tests have: both at once.
test-all: lint
	$(MAKE) --no-print-directory -j 2 types all-tests

quick-tests: $(STAMP)
	$(PYTEST) $(SPREAD) -m "not slow and not host"

all-tests: $(STAMP)
	$(PYTEST) $(SPREAD) -m "not host"

# Against the hosts that are found on this machine; docs/contributing.md says where they are looked for.
test-host: $(STAMP)
	$(PYTEST) -m host

check: lint types

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/pyright

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(STAMP)
	$(BIN)/python -P -m sigmasmith.demo

benchmark: $(STAMP)
	$(BIN)/python -P -m sigmasmith.benchmarks

compare: $(STAMP)
	$(BIN)/python -P -m sigmasmith.benchmarks compare

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	mkdir -p $(VENV)/pyright && ln -sfn "$(CURDIR)" $(VENV)/pyright/sigmasmith
	touch $(STAMP)

clean:
	rm -rf $(VENV) build out *.egg-info
