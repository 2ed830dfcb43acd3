"""Where the oracle finds its neighbours, and how much of the log a run takes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

# Short and long lives, many nodes and one, overlaps, rows without node: every trap of the log but the volume.
DEFAULT_SYSTEMS = "2,7,12,16,17,23"


def pytest_addoption(parser):
    parser.addoption("--systems", default=DEFAULT_SYSTEMS, help="systems of the Los Alamos log to import, or `all`")
