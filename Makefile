# The commands of the house. `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
TOOLS := $(or $(MEDFLEET_TOOLS),$(HOME)/.cache/medfleet/tools)
PYTHON := $(TOOLS)/python/bin/python
TARGET := $(or $(CARGO_TARGET_DIR),target)
DATA ?= data

.PHONY: run build test oracle faults fuzz bench check tools

build:
	infra/dev/install.sh build
	cargo build --workspace

# Every role in one process, with the demo fleet; prints a sign-in link.
run: build
	$(TARGET)/debug/medfleet up --data $(DATA)

tools:
	infra/dev/install.sh

# Everything, real brokers included. Parts that need a broker fail, never skip.
test: tools
	MEDFLEET_REQUIRE_BROKERS=1 tests/run_all.sh

# Every system of the Los Alamos log against figures computed from its CSV alone; `make test` takes six of the 23.
oracle: tools build
	$(PYTHON) -m pytest -q -s tests/oracle/test_lanl.py --systems all -p no:cacheprovider

# Kills and cuts at full size; minutes to hours, by its arguments.
faults: tools build
	$(PYTHON) tests/faults/run.py --facts 1000000 --kills-per-role 10

# Hostile bytes at the parsers and the MQTT door, with many more random cases than `make test`.
fuzz:
	PROPTEST_CASES=100000 cargo test --workspace --test hostile

# The target table beside its controls; ROW=NAME for one row. Ends with an error when a floor is missed.
bench: tools build
	infra/dev/install.sh bench
	$(PYTHON) tests/bench/measure.py $(if $(ROW),--row $(ROW)) $(BENCH)

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets
	cargo test -p medfleet-tests --test tidy
