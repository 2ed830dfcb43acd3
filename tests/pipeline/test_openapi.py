"""The live api under questions that its own description allows, and under ones that it does not: an answer with a reason, never a fault of the server."""

import subprocess
import sys
from pathlib import Path

import pytest
from faults.process import environment
from test_demo import House, _await_history, lived_in

EXAMPLES = 15
# Streams without end are no answers that can be waited for.
ENDLESS = "/live$"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("openapi"), "--demo-days", "2") as house:
        _await_history(house)
        yield house


def test_no_question_brings_the_server_to_a_fault(house: House, tmp_path: Path) -> None:
    schemathesis = Path(sys.executable).with_name("schemathesis")
    command = [schemathesis, "run", f"http://{house.address}/api/openapi.json", "--header", f"Authorization: Bearer {house.token}"]
    command += ["--checks", CHECKS, "--exclude-path-regex", ENDLESS, "--max-examples", str(EXAMPLES), "--seed", "1", "--request-timeout", "30", "--no-color"]
    told = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert told.returncode == 0, told.stdout[-6_000:] + told.stderr[-2_000:]
