# Each target builds what it needs into .venv; a second run goes straight to the work.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
FILMS  ?= films
RUNS   ?= runs

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

# Subjects that gallop knows, in words of its training captions or near them.
PROMPTS := "a brown horse gallops to the right over a green meadow" \
           "a red car drives to the left in front of a green wall" \
           "a turtle stands in a meadow, the camera slowly zooms in"

.PHONY: help text-encoder demo test test-slow fuzz lint docs pages bench train-gallop clean

help:            ## say what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

# torch comes first and pinned: left to the resolver, it would bring several GB of CUDA packages to a CPU machine.
$(VENV)/torch: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install $$(grep '^torch==' constraints.txt)
	@touch $@

$(VENV)/core: $(VENV)/torch pyproject.toml
	$(PIP) install -e .
	@touch $@

$(VENV)/development: $(VENV)/core
	$(PIP) install -e '.[dev,worlds,train,curate]'
	@touch $@

# Into the user's cache, where another clone may have put it already.
text-encoder: $(VENV)/core
	@$(BIN)/muybridge fetch smollm2-135m-instruct

demo: text-encoder   ## three films from three prompts, and a contact sheet of them
	@rm -rf $(FILMS)/demo
	@echo "Three films of three prompts, seeds 7, 8 and 9:"
	@$(BIN)/muybridge generate $(PROMPTS) --seed 7 -o $(FILMS)/demo/
	@echo "and all of them in one picture:"
	@$(BIN)/python examples/contact_sheet.py $(FILMS)/demo/*.mp4 -o $(FILMS)/demo/sheet.png

test: $(VENV)/development text-encoder   ## the tests that continuous integration runs
	$(BIN)/ruff check --quiet .
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow and not gpu"

test-slow: $(VENV)/development text-encoder   ## the tests that take longer
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "slow and not gpu"

lint: $(VENV)/development   ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(VENV)/development   ## write docs/reference anew from the command line and the docstrings
	$(BIN)/python docs/generate.py

pages: $(VENV)/development text-encoder   ## run the how-to pages, and renew their pictures
	$(BIN)/python docs/pages.py

fuzz: $(VENV)/development   ## ten minutes of hostile files for every reader of weights
	$(BIN)/python benchmarks/fuzz.py --minutes 10

bench: $(VENV)/development   ## us and the peer, side by side; the report goes to benchmarks/reports
	$(BIN)/python benchmarks/transformer.py

train-gallop: $(VENV)/core   ## train the embedded family anew, in hours; the same command continues an interrupted run
	$(BIN)/muybridge train gallop --out $(RUNS)/gallop

clean:           ## remove the environment and the films; training runs stay
	rm -rf $(VENV) $(FILMS) .pytest_cache .ruff_cache
