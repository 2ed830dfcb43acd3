"""Where the oracle finds its neighbours, and how much of the log a run takes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

# One node and many, "before tracking" and both spellings of months, overlaps, repairs of no length, rows without node: every trap of the
# log but the volume, and few enough days for a test of every day.
DEFAULT_SYSTEMS = "7,12,15,17,21"


def pytest_addoption(parser):
    parser.addoption("--systems", default=DEFAULT_SYSTEMS, help="systems of the Los Alamos log to import, or `all`")


@pytest.fixture(scope="session")
def imported(request, tmp_path_factory):
    """Those systems of the log, imported and folded once for all who read them."""
    from imported import Imported

    return Imported(tmp_path_factory.mktemp("lanl"), request.config.getoption("--systems"))
