# `make demo` needs Python 3.11+ and nothing else; `make test` adds what development needs. Each has its own environment.
PYTHON ?= python3
RUN := .venv/run
DEV := .venv/dev
BENCH := .venv/bench
PACKAGES := models training export runtime
SOURCES := pyproject.toml constraints.txt $(shell find $(PACKAGES) -name '*.py' -o -path 'models/bundles/*/*' -o -path 'runtime/report/assets/*' -o -name '*.csv')
TABLE := build/lily.csv

.DELETE_ON_ERROR:
.PHONY: demo test check docs bench models embeddings clean

demo: $(RUN)/ready
	$(RUN)/bin/lithovae run examples/scan.h5 --out demo.npz
	@echo
	@echo 'The command is installed as $(RUN)/bin/lithovae. To try next:'
	@echo '  $(RUN)/bin/lithovae inspect examples/scan.h5    # which columns it reads, and what is missing'
	@echo '  $(RUN)/bin/lithovae models                      # the models that --model takes'

test: check $(RUN)/ready
	$(DEV)/bin/python -m pytest -n auto

check: $(DEV)/ready
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	MYPYPATH=$(DEV)/types $(DEV)/bin/mypy $(addprefix -p lithovae.,$(PACKAGES))
	MYPYPATH=$(DEV)/types $(DEV)/bin/mypy tests benchmarks examples docs/site
	PYTHONPATH=$(DEV)/types $(DEV)/bin/lint-imports

# The site, in build/site; nothing is fetched. A broken link or heading, or a page outside the navigation, is an error.
docs: $(DEV)/ready
	NO_MKDOCS_2_WARNING=1 $(DEV)/bin/python -m mkdocs build --strict -f docs/site/mkdocs.yml

# Simulates the training table, trains and scores the four shipped models (about half an hour), exports their bundles.
models: $(TABLE)
	for pair in unsup:unsup semisup:semisup unsup_hybrid:model_unsup_hybrid semisup_hybrid:model_semisup_hybrid; do \
	  name=$${pair%%:*}; checkpoint=models/$${pair##*:}.pt; \
	  $(DEV)/bin/lithovae-train fit $(TABLE) --model $$name --out $$checkpoint --simulated-seed 42 && \
	  $(DEV)/bin/lithovae-train evaluate $(TABLE) --model $$name --checkpoint $$checkpoint && \
	  $(DEV)/bin/lithovae-export $$checkpoint --out models/bundles/$$name || exit 1; \
	done

embeddings: $(TABLE)
	$(DEV)/bin/lithovae-train embed $(TABLE) --out models/embeddings_hybrid.npz

# Parity and throughput side by side with every peer; make bench SHORT=1 takes three minutes and writes nothing.
bench: $(BENCH)/ready $(RUN)/ready .venv/torch/ready
	$(BENCH)/bin/python -m benchmarks $(if $(SHORT),--short)

$(TABLE): $(DEV)/ready
	mkdir -p build
	$(DEV)/bin/lithovae-train simulate --out $(TABLE)

# The environment of a rig: the runtime's dependencies alone, and the package as an installed wheel.
$(RUN)/ready: $(SOURCES)
	$(PYTHON) -m venv $(RUN)
	rm -rf build/lib build/bdist.*
	$(RUN)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt .
	touch $@

# The environment of the benchmark: the package as an installed wheel, and all peers.
$(BENCH)/ready: $(SOURCES)
	$(PYTHON) -m venv $(BENCH)
	rm -rf build/lib build/bdist.*
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt '.[bench]'
	touch $@

# What the original research script needs, so that its size is measured, too.
.venv/torch/ready: constraints.txt
	$(PYTHON) -m venv .venv/torch
	.venv/torch/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch scikit-learn h5py
	touch $@

# The environment of a developer: everything, and the package editable. mypy finds its parts through links.
$(DEV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	mkdir -p $(DEV)/types/lithovae
	for package in $(PACKAGES); do ln -sfn $(CURDIR)/$$package $(DEV)/types/lithovae/$$package; done
	touch $@

clean:
	rm -rf .venv build *.egg-info demo.npz
