"""The whole system as its users meet it: programs that `make build` has made, started over an empty folder."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory):
    """A demo long enough that a month ends within it, told and folded; those who use it leave its past alone but for what they say themselves."""
    from test_demo import _await_history, lived_in

    with lived_in(tmp_path_factory.mktemp("month"), "--demo-days", "40") as house:
        _await_history(house)
        yield house


@pytest.fixture
def real_brokers() -> None:
    """Mosquitto and Kafka are at hand. Where they must be, their absence is a failure and no skip."""
    if os.environ.get("MEDFLEET_TEST_KAFKA"):
        return
    if os.environ.get("MEDFLEET_REQUIRE_BROKERS") == "1":
        pytest.fail("MEDFLEET_REQUIRE_BROKERS=1 but MEDFLEET_TEST_KAFKA is not set: run tests/run_all.sh")
    pytest.skip("no brokers: set MEDFLEET_TEST_KAFKA to run with real Mosquitto and Kafka")
