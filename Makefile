# Every target makes what it needs inside this folder. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
JOBS ?= 2
FUZZ := $(addprefix tests/,test_fuzz.py test_schemathesis.py test_every_kill.py test_two_at_once.py)

.DEFAULT_GOAL := help
.PHONY: help demo serve bench screenshots test lint types unit fuzz chaos image-test manifests validate-registry release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/runtime: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/checks: requirements-dev.txt $(VENV)/runtime
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: $(VENV)/runtime ## start a hub on local data, register real indexes, show the federated index (Ctrl-C ends it)
	@$(RUN) examples/demo.py

serve: $(VENV)/runtime ## run the hub on ./data at http://127.0.0.1:8080
	@$(RUN) cli.py serve

test: lint types validate-registry unit ## pass every check: lint, types, tests, coverage

lint: $(VENV)/checks ## check the style of the code
	$(RUN) -m ruff check .

types: $(VENV)/checks ## check the types of the code
	$(RUN) -m mypy

unit: $(VENV)/checks ## run the tests and hold the coverage
	$(RUN) -m pytest -n $(JOBS) --dist loadgroup --cov --cov-report=term-missing:skip-covered

bench: $(VENV)/checks ## measure the hub against its limits (QUICK=1: under two minutes; PARTS="reading writing")
	@$(RUN) -m bench $(if $(QUICK),--quick) $(PARTS)

image-test: $(VENV)/checks ## build the image and run it as the pod does (scripts/install-image-tools first; root)
	$(VENV)/bin/hadolint Dockerfile
	$(RUN) scripts/image_test.py $(IMAGE_TEST)

manifests: $(VENV)/checks ## check the manifests, the Dockerfile, the alerts and the dashboard
	$(RUN) -m pytest tests/deploy tests/test_secrets.py

validate-registry: $(VENV)/runtime ## check this repository's own index, its entries and its federation manifest
	$(RUN) scripts/validate_registry.py

release: $(VENV)/runtime ## check that everything says VERSION and tell how to release it
	$(RUN) scripts/release.py $(VERSION)

fuzz: $(VENV)/checks ## throw thousands of new examples, every kill and every pair of requests at the hub (half an hour)
	HYPOTHESIS_PROFILE=fuzz $(RUN) -m pytest -n $(JOBS) --timeout=0 $(FUZZ)

chaos: $(VENV)/checks ## kill, fill, cut and crowd a real hub, let its calls fail (CHAOS_SEED repeats a run), write down the sums
	rm -f chaos-figures.jsonl
	CHAOS=full CHAOS_FIGURES=chaos-figures.jsonl $(RUN) -m pytest tests/chaos
	@cat chaos-figures.jsonl

screenshots: $(VENV)/checks ## make docs/images from a hub with a past (needs Chromium: scripts/install-browser)
	$(RUN) -m tests.browser.screenshots docs/images

clean: ## remove what the other targets made
	rm -rf $(VENV) .demo .image .mypy_cache .ruff_cache .coverage* .hypothesis chaos-figures.jsonl tests/clients/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
