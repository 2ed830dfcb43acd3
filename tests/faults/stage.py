"""The two stages on which the same play is given: everything embedded in one process, and every role for itself on real brokers."""

from pathlib import Path

from . import brokers
from .agents import Agent
from .links import Links
from .load import SITES, AgentLoad
from .process import Failure, Role, binary, free_ports, run, total

APPENDED = 'fate="appended"'


class Stage:
    """What both have in common: agents, the link to them, and commands over the data folder."""

    kafka: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.agents: list[Agent] = []
        self.links: Links | None = None

    @property
    def lake(self) -> Path:
        return self.data / "lake"

    def command(self, *words: str, may_fail: bool = False):
        place = ["--data", str(self.data)] + (["--kafka", self.kafka] if self.kafka else [])
        return run(binary("medfleet"), *words, *place, may_fail=may_fail)

    def define_sites(self) -> None:
        for site, zone in SITES.items():
            self.command("site", site, "--title", site.title(), "--time-zone", zone)

    def hashes(self) -> dict[str, str]:
        """Content hash of every table by name."""
        lines = (line.split(" ", 1) for line in self.command("hash").stdout.splitlines() if " rows " in line)
        return dict(lines)

    def stop_agents(self) -> None:
        for agent in self.agents:
            agent.role.stop()

    def end(self) -> None:
        for agent in self.agents:
            agent.role.end()
        if self.links:
            self.links.end()


class Embedded(Stage):
    """`medfleet up`: broker, ingest, log and processor die together."""

    roles = ("agent", "up")
    together = {"up": ("broker", "ingest", "log", "processor")}

    def __init__(self, folder: Path, loads: list[AgentLoad]) -> None:
        super().__init__(folder)
        http, mqtt = f"127.0.0.1:{free_ports(1)}", free_ports(1)
        self.define_sites()
        passwords = {load.name: self._password(load.name) for load in loads}
        command = [binary("medfleet"), "up", "--no-demo", "--data", str(self.data), "--listen", http, "--mqtt-listen", f"127.0.0.1:{mqtt}", "--sql-listen", f"127.0.0.1:{free_ports(1)}"]
        self.up = Role("up", command, folder / "up.log", http)
        self.up.start()
        self.links = Links(agent=(0, f"127.0.0.1:{mqtt}"))
        authority = self.data / "secrets" / "ca.pem"
        self.agents = [Agent(load, folder, "localhost", self.links.port("agent"), authority, passwords[load.name]) for load in loads]
        for agent in self.agents:
            agent.role.start()

    def _password(self, agent: str) -> Path:
        said = self.command("agent-password", agent).stdout.strip().splitlines()
        if not said:
            raise Failure(f"`medfleet agent-password {agent}` printed no path")
        return Path(said[-1].split()[-1])

    def role(self, name: str) -> Role:
        return self.up

    def behind(self) -> float:
        """Facts in the log that are not in the tables yet, by the roles' own counters since their start."""
        return total(self.up.metrics(), "medfleet_processor_lag_records")

    def stop_servers(self) -> None:
        self.up.stop()

    def start_processor(self) -> None:
        self.up.start()

    def processor(self) -> Role:
        return self.up

    def end(self) -> None:
        super().end()
        self.up.end()


class Real(Stage):
    """Mosquitto and Kafka outside, ingest and processor as processes of their own."""

    roles = ("agent", "broker", "ingest", "log", "processor")
    together: dict[str, tuple[str, ...]] = {}

    def __init__(self, folder: Path, loads: list[AgentLoad]) -> None:
        super().__init__(folder)
        self.mosquitto, self.log = brokers.Mosquitto(folder / "mosquitto"), brokers.Kafka(folder / "kafka")
        self.mosquitto.start()
        self.log.start()
        self.kafka = self.log.bootstrap
        self.command("topics", "apply", "--profile", "dev")
        self.define_sites()
        self.mosquitto.add_users([load.name for load in loads])
        tls = f"127.0.0.1:{self.mosquitto.port}"
        # Kafka tells clients of its second listener to come back through the port where the proxy stands.
        self.links = Links(agent=(0, tls), broker_ingest=(0, tls), ingest_log=(self.log.port + 3, f"127.0.0.1:{self.log.port + 2}"))
        authority = Path(self.mosquitto.told["ca"])
        self.ingest = self._ingest(authority)
        self.fold = self._processor()
        self.ingest.start()
        self.fold.start()
        secret = {load.name: self.mosquitto.password_file(load.name, folder) for load in loads}
        self.agents = [Agent(load, folder, "localhost", self.links.port("agent"), authority, secret[load.name]) for load in loads]
        for agent in self.agents:
            agent.role.start()

    def _ingest(self, authority: Path) -> Role:
        status = f"127.0.0.1:{free_ports(1)}"
        command = [binary("medfleet"), "ingest", "--data", str(self.folder / "ingest"), "--kafka", f"127.0.0.1:{self.log.port + 3}"]
        command += ["--mqtt", f"mqtts://localhost:{self.links.port('broker_ingest')}", "--mqtt-ca", str(authority)]
        command += ["--mqtt-password-file", str(self.mosquitto.password_file("ingest", self.folder)), "--status-listen", status]
        return Role("ingest", command, self.folder / "ingest.log", status)

    def _processor(self) -> Role:
        status = f"127.0.0.1:{free_ports(1)}"
        command = [binary("medfleet"), "processor", "--data", str(self.data), "--kafka", self.log.bootstrap, "--status-listen", status]
        return Role("processor", command, self.folder / "processor.log", status)

    def role(self, name: str):
        return {"broker": self.mosquitto, "ingest": self.ingest, "log": self.log, "processor": self.fold}[name]

    def behind(self) -> float:
        return total(self.fold.metrics(), "medfleet_processor_lag_records")

    def stop_servers(self) -> None:
        self.ingest.stop()
        self.fold.stop()

    def start_processor(self) -> None:
        self.fold.start()

    def processor(self) -> Role:
        return self.fold

    def end(self) -> None:
        super().end()
        for role in (self.ingest, self.fold, self.mosquitto, self.log):
            role.end()
