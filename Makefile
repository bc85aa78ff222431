# Everything a person types. The first target also works on a fresh clone: it makes .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test check format demo benchmark compare clean

test: $(STAMP) check
	$(BIN)/pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
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
