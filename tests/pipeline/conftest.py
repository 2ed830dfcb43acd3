"""The whole system as its users meet it: programs that `make build` has made, started over an empty folder."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def real_brokers() -> None:
    """Mosquitto and Kafka are at hand. Where they must be, their absence is a failure and no skip."""
    if os.environ.get("MEDFLEET_TEST_KAFKA"):
        return
    if os.environ.get("MEDFLEET_REQUIRE_BROKERS") == "1":
        pytest.fail("MEDFLEET_REQUIRE_BROKERS=1 but MEDFLEET_TEST_KAFKA is not set: run tests/run_all.sh")
    pytest.skip("no brokers: set MEDFLEET_TEST_KAFKA to run with real Mosquitto and Kafka")
