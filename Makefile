# Two commands: `make demo` runs the whole cycle on the sample library, `make test` runs the tests.
# Both set up a virtual environment first; nothing but Python 3.11+ and make is needed.

PYTHON ?= python3
VENV := .venv
TYPESCRIPT := serving/typescript
DEMO_HOME ?= $(CURDIR)/.autosort-demo

.PHONY: demo test lint typescript setup clean

demo: $(VENV)/.installed
	AUTOSORT_HOME="$(DEMO_HOME)" DATABASE_URL= $(VENV)/bin/autosort demo

# One thread for each of the two processes: with a thread for every core in both, they wait for one another.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n 2 --dist worksteal --durations=15

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# A typed client of the service, from its OpenAPI document; needs Node.js 20 or newer.
typescript: $(VENV)/.installed
	mkdir -p $(TYPESCRIPT)/generated
	$(VENV)/bin/autosort openapi --out $(TYPESCRIPT)/generated/openapi.json
	cd $(TYPESCRIPT) && npm install --silent --no-audit --no-fund --no-package-lock
	cd $(TYPESCRIPT) && npm run --silent generate && npm run --silent build

setup: $(VENV)/.installed-dev

# torch goes first and pinned: left to the others' ranges, pip may fetch gigabytes of CUDA packages.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .autosort-demo $(TYPESCRIPT)/generated $(TYPESCRIPT)/node_modules
