# A clean clone needs git, make and Python 3.11 or newer: every target makes .venv/ by itself first.
# One more than there are cores: now and then a test waits.
JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
ARGS ?=
# Nothing younger than this day is pinned, so that `make lock` gives the same answer tomorrow. It is said here and not
# in pyproject.toml because there it would also rule out, at installation, every mirror that serves no upload times.
AS_OF := 2026-11-20

# The tests start thousands of processes: each would compile all it imports again where the machine says not to keep that.
export PYTHONDONTWRITEBYTECODE =

bin := .venv/bin

.PHONY: help verify test nightly coverage docs lint lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

verify: .venv/ready ## look for races in a subject, the reference unless told: make verify ARGS="--subject published"
	@$(bin)/harness verify $(ARGS)

test: .venv/ready ## run the tests on JOBS cores: make test ARGS="tests/engine -k shrink"
	@$(bin)/python -m pytest -q -n $(JOBS) --dist worksteal $(ARGS)

nightly: .venv/ready ## the tests in their nightly sizes, from a seed of their own: lives, crashes, generated functions
	@$(bin)/python -m pytest -q -n $(JOBS) --dist worksteal --harness-profile=nightly $(ARGS)

coverage: .venv/ready ## run the tests in twice the time and show which lines and branches of the package they reach
	@$(bin)/coverage erase
	@$(bin)/coverage run -m pytest -q -n $(JOBS) --dist worksteal
	@$(bin)/coverage combine -q
	@$(bin)/coverage report

docs: .venv/ready ## build the documents as a site in build/site
	@$(bin)/python .ci/site

lint: .venv/ready ## ruff and mypy --strict
	@$(bin)/ruff check -q .
	@$(bin)/ruff format -q --check .
	@$(bin)/mypy --no-error-summary

lock: .venv/ready ## pin requirements.txt anew after a change of pyproject.toml: make lock ARGS=--upgrade
	@PATH="$(CURDIR)/$(bin):$$PATH" uv pip compile pyproject.toml -q --all-extras --universal --python-version 3.11 \
		--exclude-newer $(AS_OF) --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
		--custom-compile-command "make lock" $(ARGS) -o requirements.txt

clean: ## remove .venv/ and every cache
	@rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: pyproject.toml requirements.txt .ci/venv
	@.ci/venv
	@touch $@
