"""Roles as processes: start, await readiness by asking, kill, and keep every word they say in a file."""

import os
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(os.environ.get("MEDFLEET_TOOLS", Path.home() / ".cache/medfleet/tools"))
READY_DEADLINE_SECONDS = 60.0
STOP_DEADLINE_SECONDS = 40.0
COMMAND_DEADLINE_SECONDS = 900.0
POLL_SECONDS = 0.05
# What is read from the tables' files costs more than a look at a role.
TABLES_POLL_SECONDS = 0.5
SCRAPE_SECONDS = 5.0
LAST_WORDS_LINES = 25
# Below the range from which the system takes ports for outgoing connections: a killed role must get its port back.
# Suites that run side by side each have a part of it; one that runs alone has the first.
LANES = {"0": range(12_000, 18_000), "1": range(18_000, 23_000), "2": range(23_000, 28_000)}
PORTS = LANES[os.environ.get("MEDFLEET_TEST_LANE", "0")]
GIVEN_PORTS: set[int] = set()

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.eE+-]+|NaN|[+-]Inf)$")


class Failure(Exception):
    """Something did not come about in time, or a process said no."""


def binary(name: str) -> str:
    """A program of the product, built by `make build`."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get("MEDFLEET_TEST_PROFILE", "debug")
    path = folder / name
    if not path.exists():
        raise Failure(f"{path} is not there: run `make build` first")
    return str(path)


def environment() -> dict[str, str]:
    """The surroundings of a role: nothing that would configure it behind the harness' back."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MEDFLEET_") or key == "MEDFLEET_LOG"}
    return kept | {"RUST_BACKTRACE": "1", "RUST_LIB_BACKTRACE": "0"}


def await_true(what: str, condition, deadline_seconds: float = READY_DEADLINE_SECONDS, poll_seconds: float = POLL_SECONDS):
    """Asks until the answer is true and returns it; a failure names what was awaited."""
    until = time.monotonic() + deadline_seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > until:
            raise Failure(f"{what} did not come about within {deadline_seconds:.0f} s")
        time.sleep(poll_seconds)


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports on loopback that nobody listens on and that was not given out before."""
    for first in random.Random(f"{os.getpid()} {len(GIVEN_PORTS)}").sample(PORTS, 200):
        wanted = range(first, first + count)
        if GIVEN_PORTS.isdisjoint(wanted) and all(_is_free(port) for port in wanted):
            GIVEN_PORTS.update(wanted)
            return first
    raise Failure(f"no {count} free neighbouring ports on loopback")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def scrape(address: str) -> dict[tuple[str, str], float]:
    """The samples of a role's /metrics by name and labels; empty while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=SCRAPE_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return {}
    found = (SAMPLE.match(line) for line in lines if not line.startswith("#"))
    return {(match[1], match[2] or ""): float(match[3]) for match in found if match}


def total(samples: dict[tuple[str, str], float], name: str, label: str = "") -> float:
    """The sum of one metric over its labels, or over those that contain `label`."""
    return sum(value for (one, labels), value in samples.items() if one == name and label in labels)


def is_ready(address: str, path: str = "/ready") -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=SCRAPE_SECONDS) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Role:
    """One process that may be started again and again under the same command line."""

    def __init__(self, name: str, command: list[str], log: Path, status: str | None = None, ready_path: str = "/ready") -> None:
        self.name, self.command, self.log, self.status, self.ready_path = name, command, log, status, ready_path
        self.child: subprocess.Popen | None = None
        self.kills = 0

    def start(self, await_ready: bool = True) -> None:
        assert self.child is None, f"{self.name} runs already"
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment())
        if await_ready:
            self.await_ready()

    def await_ready(self) -> None:
        def ready() -> bool:
            self.must_live()
            return self.status is None or is_ready(self.status, self.ready_path)

        try:
            await_true(f"readiness of {self.name}", ready)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.last_words()}") from None

    def must_live(self) -> None:
        if self.child is not None and self.child.poll() is not None:
            raise Failure(f"{self.name} ended by itself with {self.child.returncode}\n{self.last_words()}")

    def kill(self) -> None:
        """SIGKILL: nothing is drained, nothing is said."""
        assert self.child is not None
        self.must_live()
        self.child.kill()
        self.child.wait(STOP_DEADLINE_SECONDS)
        self.child = None
        self.kills += 1

    def stop(self) -> int:
        """SIGTERM, and the exit status of an orderly end."""
        if self.child is None:
            return 0
        self.must_live()
        self.child.send_signal(signal.SIGTERM)
        try:
            status = self.child.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {STOP_DEADLINE_SECONDS:.0f} s of SIGTERM\n{self.last_words()}") from None
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait(STOP_DEADLINE_SECONDS)
            self.child = None
        if status != 0:
            raise Failure(f"{self.name} ended with {status} after SIGTERM\n{self.last_words()}")
        return status

    def end(self) -> None:
        """Whatever its state: afterwards it does not run. For the end of a test."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait(STOP_DEADLINE_SECONDS)
        self.child = None

    def metrics(self) -> dict[tuple[str, str], float]:
        return scrape(self.status) if self.status else {}

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def last_words(self) -> str:
        return f"--- end of {self.log}\n" + "\n".join(self.text().splitlines()[-LAST_WORDS_LINES:])


def run(*command: str, may_fail: bool = False, **surroundings: str) -> subprocess.CompletedProcess:
    """One command to its end, with further variables; its failure is ours unless it may fail."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment() | surroundings, timeout=COMMAND_DEADLINE_SECONDS)
    if done.returncode != 0 and not may_fail:
        raise Failure(f"`{' '.join(command)}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done
