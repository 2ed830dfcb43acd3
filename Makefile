# The commands of the house. `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
TOOLS := $(or $(MEDFLEET_TOOLS),$(HOME)/.cache/medfleet/tools)
PYTHON := $(TOOLS)/python/bin/python
TARGET := $(or $(CARGO_TARGET_DIR),target)
DATA ?= data

.PHONY: run build test oracle scoreboard retold faults fuzz bench bench-risk check tools

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

# Every system of the Los Alamos log against figures computed from its CSV alone; `make test` takes five of the 23.
oracle: tools build
	$(PYTHON) -m pytest -q -s tests/oracle/test_lanl.py --systems all -p no:cacheprovider

# Scores of a demo's last days against what came of them: seventy days of history, and eight midnights at which a scorer looks.
scoreboard: tools build
	MEDFLEET_TEST_SCOREBOARD=whole $(PYTHON) -m pytest -q -s tests/pipeline/test_scoreboard.py -p no:cacheprovider

# Ninety days of the demo, all kinds of equipment: every KPI is the same in order, shuffled, told twice, and with one agent a month late.
retold: build
	cargo test --workspace --locked --test as_of -- --ignored --nocapture

# Kills and cuts at full size; minutes to hours, by its arguments.
faults: tools build
	$(PYTHON) tests/faults/run.py --facts 1000000 --kills-per-role 10

# Ten minutes of damaged input for every parser and door; `make test` gives each a second. One line each says what was seen.
fuzz: tools
	MEDFLEET_FUZZ_SECONDS=$${MEDFLEET_FUZZ_SECONDS:-600} MEDFLEET_FUZZ_SEED=$${MEDFLEET_FUZZ_SEED:-$$(date +%s)} \
		cargo test --workspace --locked fuzz_ -- --nocapture

# The target table beside its controls; ROW=NAME for one row. Ends with an error when a floor is missed.
bench: tools build
	infra/dev/install.sh bench
	$(PYTHON) tests/bench/measure.py $(if $(ROW),--row $(ROW)) $(BENCH)

# Risk on a simulated fleet of 2,000 devices and 18 months whose hazards are known; ends with an error when a floor is missed.
bench-risk: tools
	$(PYTHON) tests/bench/risk.py $(BENCH)

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets
	cargo test -p medfleet-tests --test tidy
