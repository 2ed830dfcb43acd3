"""Real Mosquitto and real Kafka, by the scripts of infra/dev; killed and started like any role."""

import os
import subprocess
from pathlib import Path

from .process import ROOT, Failure, free_ports

BROKER_DEADLINE_SECONDS = 120.0


class Broker:
    """A server that a script keeps in a folder."""

    def __init__(self, script: str, folder: Path, ports: int) -> None:
        self.script, self.folder = str(ROOT / "infra/dev" / script), folder
        self.port = free_ports(ports)
        self.told: dict[str, str] = {}
        self.kills = 0

    def start(self) -> None:
        said = self._ask("start", str(self.folder), str(self.port))
        self.told = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def kill(self) -> None:
        self._ask("kill", str(self.folder))
        self.kills += 1

    def end(self) -> None:
        subprocess.run([self.script, "kill", str(self.folder)], capture_output=True, timeout=BROKER_DEADLINE_SECONDS, env=_surroundings())

    def _ask(self, *words: str) -> str:
        # Output goes to a file: the server would otherwise hold our pipe open.
        done = subprocess.run([self.script, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BROKER_DEADLINE_SECONDS, env=_surroundings())
        if done.returncode != 0:
            raise Failure(f"{self.script} {' '.join(words)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


class Mosquitto(Broker):
    def __init__(self, folder: Path) -> None:
        super().__init__("mosquitto.sh", folder, 2)

    def add_users(self, names: list[str]) -> None:
        self._ask("users", str(self.folder), *names)

    def password_file(self, name: str, folder: Path) -> Path:
        """The password of a user, in a file of its own."""
        for line in Path(self.told["credentials"]).read_text().splitlines():
            user, _, password = line.partition(":")
            if user == name:
                path = folder / f"{name}.password"
                path.write_text(password + "\n")
                path.chmod(0o600)
                return path
        raise Failure(f"Mosquitto knows no user {name}")


class Kafka(Broker):
    def __init__(self, folder: Path) -> None:
        super().__init__("kafka.sh", folder, 4)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"


def _surroundings() -> dict[str, str]:
    return dict(os.environ)
