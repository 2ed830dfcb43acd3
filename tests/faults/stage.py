"""The two stages on which the same play is given: everything embedded in one process, and every role for itself on real brokers."""

from dataclasses import dataclass
from pathlib import Path

from . import brokers
from .agents import JOURNAL_SHARE, Agent
from .links import Links
from .load import SITES, AgentLoad
from .process import Failure, Role, binary, free_ports, run, total


@dataclass(frozen=True)
class InFlight:
    """What is under way at one moment."""

    unreceipted: float
    """Facts in the agents' journals without a receipt."""
    lag: float
    """Records of the log that the processor has not read."""
    unflushed: float
    """Facts that it has read and not committed."""

    @property
    def uncommitted(self) -> float:
        return self.lag + self.unflushed

    def __str__(self) -> str:
        return f"{self.unreceipted:.0f} facts without receipt, {self.lag:.0f} records unread, {self.unflushed:.0f} facts uncommitted"


class Stage:
    """What both have in common: agents, the link to them, and commands over the data folder."""

    roles: tuple[str, ...]
    """What can be killed by itself."""
    together: dict[str, tuple[str, ...]] = {}
    """Roles that die together, by the name of the process they share."""
    link_names: tuple[str, ...]
    kafka: str | None = None
    journal_share = JOURNAL_SHARE
    options: tuple[str, ...] = ()
    """Of `medfleet up`, besides."""

    def __init__(self, folder: Path, loads: list[AgentLoad], agent_bytes_per_second: int = 0) -> None:
        """The link of the agents is paced from their first fact on; 0: they deliver as fast as they can."""
        self.folder, self.agent_bytes_per_second = folder, agent_bytes_per_second
        self.data = folder / "data"
        self.agents: list[Agent] = []
        self.links: Links | None = None
        self.others: list[Role | brokers.Broker] = []
        """Whatever else runs, in the order of its end."""
        try:
            self.open(loads)
        except BaseException:
            self.end()
            raise

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

    def in_flight(self) -> InFlight:
        samples = self.processor().metrics()
        # A processor that does not answer says nothing of being done.
        lag = total(samples, "medfleet_processor_lag_records") if samples else 1
        unflushed = total(samples, "medfleet_processor_uncommitted_facts")
        return InFlight(sum(agent.look() for agent in self.agents), lag, unflushed)

    def behind(self) -> float:
        """What the log holds and the tables do not, in records unread and facts read; 0 when they are even."""
        return self.in_flight().uncommitted

    def must_live(self) -> None:
        """Fails when a role has ended that nobody has killed."""
        for role in [*(agent.role for agent in self.agents), *self.servers()]:
            role.must_live()

    def _start_agents(self) -> None:
        self.links.pace("agent", self.agent_bytes_per_second)
        for agent in self.agents:
            agent.role.start()

    def stop_agents(self) -> None:
        for agent in self.agents:
            agent.role.stop()

    def end(self) -> None:
        for role in [*(agent.role for agent in self.agents), *self.others]:
            role.end()
        if self.links:
            self.links.end()


class Embedded(Stage):
    """`medfleet up`: broker, ingest, log and processor die together."""

    roles = ("agent", "up")
    link_names = ("agent",)
    together = {"up": ("broker", "ingest", "log", "processor")}

    def open(self, loads: list[AgentLoad]) -> None:
        http, mqtt = f"127.0.0.1:{free_ports(1)}", free_ports(1)
        self.define_sites()
        passwords = {load.name: self._password(load.name) for load in loads}
        command = [binary("medfleet"), "up", "--no-demo", "--data", str(self.data), "--listen", http, "--mqtt-listen", f"127.0.0.1:{mqtt}", "--sql-listen", f"127.0.0.1:{free_ports(1)}", *self.options]
        self.up = Role("up", command, self.folder / "up.log", http)
        self.others.append(self.up)
        self.up.start()
        self.links = Links(agent=(0, f"127.0.0.1:{mqtt}"))
        authority = self.data / "secrets" / "ca.pem"
        self.agents = [Agent(load, self.folder, "localhost", self.links.port("agent"), authority, passwords[load.name], self.journal_share) for load in loads]
        self._start_agents()

    def _password(self, agent: str) -> Path:
        said = self.command("agent-password", agent).stdout.strip().splitlines()
        if not said:
            raise Failure(f"`medfleet agent-password {agent}` printed no path")
        return Path(said[-1].split()[-1])

    def role(self, name: str) -> Role:
        return self.up

    def servers(self) -> list[Role]:
        return [self.up]

    def stop_servers(self) -> None:
        self.up.stop()

    def start_processor(self) -> None:
        self.up.start()

    def processor(self) -> Role:
        return self.up


class Real(Stage):
    """Mosquitto and Kafka outside, ingest and processor as processes of their own."""

    roles = ("agent", "broker", "ingest", "log", "processor")
    link_names = ("agent", "broker_ingest", "ingest_log")

    def open(self, loads: list[AgentLoad]) -> None:
        self.mosquitto, self.log = brokers.Mosquitto(self.folder / "mosquitto"), brokers.Kafka(self.folder / "kafka")
        self.others += [self.mosquitto, self.log]
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
        self.others[:0] = [self.ingest, self.fold]
        self.ingest.start()
        self.fold.start()
        secret = {load.name: self.mosquitto.password_file(load.name, self.folder) for load in loads}
        self.agents = [Agent(load, self.folder, "localhost", self.links.port("agent"), authority, secret[load.name]) for load in loads]
        self._start_agents()

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

    def servers(self) -> list[Role]:
        return [self.ingest, self.fold]

    def stop_servers(self) -> None:
        self.ingest.stop()
        self.fold.stop()

    def start_processor(self) -> None:
        self.fold.start()

    def processor(self) -> Role:
        return self.fold
