# make run: set everything up and serve. make test: set everything up and pass the tests. make help lists the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-llm check bench train gen lock fmt clean

PYTHON ?= $(shell scripts/python.sh)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUTF8 := 1

help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/.run ## Serve everything on this machine, with a demo tenant.
	@exec salambot up

# Many tests kill and starve real services in real time. On a machine that is starved itself one may miss its moment: what
# failed is run once more, alone, and has to pass then; both runs are shown.
test: .venv/.dev ## Pass the whole test suite against real services.
	pytest -n 2 --dist loadgroup || pytest --last-failed --last-failed-no-failures none

test-llm: .venv/.dev ## Pass the tests that need a real vLLM; installs one, 3.5 GB.
	scripts/vllm.sh "$(PYTHON)"
	SALAMBOT_TEST_VLLM=.salambot/vllm/venv pytest tests/llm/test_vllm.py

check: .venv/.dev ## What every change must pass: format, lint, types, contracts, generated code, tests.
	ruff format --check .
	ruff check .
	mypy servers gateway
	buf lint
	buf format -d --exit-code proto
	scripts/breaking.sh
	$(MAKE) gen
	git diff --exit-code --stat -- gen || { echo "gen/ is not what proto/ says: commit what make gen wrote"; exit 1; }
	$(MAKE) test

bench: .venv/.dev ## Measure every promise beside its floor; BENCH=<name> runs one.
	python -m tests.bench $(BENCH)

train: .venv/.train ## Rebuild every model of model_repository/ from training/.
	python -m training

gen: .venv/.dev ## Generate gen/ from proto/.
	scripts/generate.sh

fmt: .venv/.dev ## Format everything.
	ruff format .
	ruff check --fix .
	buf format -w proto

lock: ## Pin what pyproject.toml asks for anew.
	scripts/lock.sh

clean: ## Remove what was built; state under .salambot stays.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.run: requirements/run.lock pyproject.toml
	@scripts/venv.sh "$(PYTHON)" run
	@touch $@

.venv/.dev: requirements/dev.lock pyproject.toml
	@scripts/venv.sh "$(PYTHON)" dev
	@touch $@ .venv/.run

.venv/.train: requirements/train.lock .venv/.dev
	@scripts/venv.sh "$(PYTHON)" train
	@touch $@
