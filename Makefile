# `make up` and `make test` are all that a fresh clone needs.
SHELL := /bin/bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
REMUDA := $(TARGET)/debug/remuda
# Tests keep their model and Python environment here, apart from a user's own data.
TEST_HOME := $(abspath $(TARGET))/test-home
MODEL := smollm2-135m-instruct

.PHONY: up test lint bench setup build model test-rust test-openai openapi help

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what is missing on this machine
	@scripts/setup

build: setup
	cargo build --workspace --all-targets --locked

up: build ## Build, fetch the default model, and run a whole network on this machine
	$(REMUDA) up

model: build ## Fetch the default model for the tests
	@$(REMUDA) --home $(TEST_HOME) model pull $(MODEL)

lint: setup ## Formatting, clippy with warnings denied, the tidy test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo nextest run --workspace --locked -E "binary(tidy)"

test: lint model test-rust test-openai ## Everything that this machine can test

test-rust: model
	REMUDA_TEST_HOME=$(TEST_HOME) REMUDA_TEST_MODEL=$$($(REMUDA) --home $(TEST_HOME) model path $(MODEL)) \
		cargo nextest run --workspace --locked

test-openai: model ## The unmodified OpenAI clients for Python and Node against a real network
	REMUDA=$(abspath $(REMUDA)) TEST_HOME=$(TEST_HOME) tests/openai/run

openapi: ## Write the OpenAPI snapshot anew
	REMUDA_UPDATE_SNAPSHOTS=1 cargo nextest run --workspace --locked -E "package(remuda-gateway) & test(openapi)"

bench: build model ## Benchmarks against peers, each a ratio from one run
	REMUDA=$(abspath $(REMUDA)) TEST_HOME=$(TEST_HOME) bench/run
