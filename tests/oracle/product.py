"""The product as a person uses it: its commands, run to their end."""

import subprocess
from pathlib import Path

from faults.process import binary, environment

COMMAND_DEADLINE_SECONDS = 3600


def medfleet(data: Path, *arguments: str, stdin: bytes | None = None) -> str:
    command = [binary("medfleet"), *arguments, "--data", str(data)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=COMMAND_DEADLINE_SECONDS, env=environment())
    assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{done.stderr.decode()[-4000:]}"
    return done.stdout.decode()


def fold(data: Path) -> None:
    medfleet(data, "processor", "--until-idle", "--status-listen", "127.0.0.1:0")
