"""The product as a person uses it: its commands, run to their end, and its faces over a folder."""

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from faults.process import Role, await_true, binary, environment, free_ports

COMMAND_DEADLINE_SECONDS = 3600


def medfleet(data: Path, *arguments: str, stdin: bytes | None = None) -> str:
    command = [binary("medfleet"), *arguments, "--data", str(data)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=COMMAND_DEADLINE_SECONDS, env=environment())
    assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{done.stderr.decode()[-4000:]}"
    return done.stdout.decode()


def fold(data: Path) -> None:
    medfleet(data, "processor", "--until-idle", "--status-listen", "127.0.0.1:0")


class Served:
    """REST and SQL over a folder that nobody writes to any more."""

    def __init__(self, data: Path, log: Path):
        self.data, self.address, self.sql_port = data, f"127.0.0.1:{free_ports(1)}", free_ports(1)
        command = [binary("medfleet"), "up", "--no-demo", "--data", str(data), "--listen", self.address]
        command += ["--mqtt-listen", f"127.0.0.1:{free_ports(1)}", "--sql-listen", f"127.0.0.1:{self.sql_port}"]
        self.role = Role("up", command, log, self.address)
        self.role.start()
        self.token = await_true("the login link on stdout", self._token)
        await_true("a cut to ask", self._answers)

    def json(self, path: str, **asked) -> dict:
        question = f"?{urllib.parse.urlencode(asked)}" if asked else ""
        request = urllib.request.Request(f"http://{self.address}{path}{question}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def sql(self, name: str) -> psycopg.Connection:
        """One transaction, so one cut, by a user who sees every site."""
        password = Path(medfleet(self.data, "sql-user", name, "--all").strip()).read_text()
        return psycopg.connect(host="127.0.0.1", port=self.sql_port, dbname="medfleet", user=name, password=password)

    def _answers(self) -> bool:
        try:
            return bool(self.json("/api/v1/sites")["sites"])
        except urllib.error.HTTPError as refused:
            assert refused.code == 503, refused.read()
            return False

    def _token(self) -> str | None:
        self.role.must_live()
        found = re.search(r"/login\?token=([0-9a-zA-Z]+)", self.role.text())
        return found and found[1]


@contextmanager
def served(data: Path, log: Path) -> Iterator[Served]:
    """Asked to end when it was of use, and ended whatever happens."""
    house = None
    try:
        house = Served(data, log)
        yield house
        house.role.stop()
    finally:
        if house:
            house.role.end()
