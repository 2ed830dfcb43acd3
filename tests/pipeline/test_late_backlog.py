"""A day of facts from one agent arrives late and at once: history amends itself, the others stay fresh, and nobody is woken for yesterday."""

import json
import time
import urllib.request
import uuid
from pathlib import Path

from faults import load, oracle
from faults.agents import Agent
from faults.judge import Tables, judge
from faults.load import SITES, AgentLoad, Shape
from faults.play import Play
from faults.process import TABLES_POLL_SECONDS, Role, await_true, binary, free_ports
from faults.stage import Embedded
from peers.hook import Hook

HOUR_MILLIS = 3_600_000
# 64 devices of one agent that speak about every 5 minutes: what they say in 24 hours and a little.
BACKLOG = Shape(start_millis=int(time.time() * 1_000) - 30 * HOUR_MILLIS, step_millis=(60_000, 540_000), devices_per_file=32)
BACKLOG_FACTS = 60_000
FRESH_WITHIN_SECONDS = 10.0
# Each live agent says something of one of its devices several times a second.
LIVE_AGENTS, LIVE_DEVICES = 3, 8
FIRST_FACTS_SECONDS = 60.0
BACKLOG_DEADLINE_SECONDS = 240.0
ALERT_DEADLINE_SECONDS = 60.0
DEVICES_ASKED = 16
RULES = """
rules:
  - { name: device-failed, when: device_failed, urgency: page, says: "{subject} has failed", after_minutes: 0 }
  - { name: device-error, when: device_error, severity: minor, urgency: page, says: "{subject}: {part}" }
"""
ROUTES = "people: {{ kim: [{{ webhook: '{url}/hook' }}] }}\nroutes: [{{ name: all, levels: [[{{ people: [kim] }}]] }}]\n"


class Live:
    """An agent that watches devices now, over a link of its own."""

    def __init__(self, stage: Embedded, name: str, folder: Path, password: Path, port: int) -> None:
        status = f"127.0.0.1:{free_ports(1)}"
        sources = "".join(
            f'\n[[source]]\ntype = "simulated"\ndevice = "{name}-{n}"\nkind = "ct"\nchange_seconds = 1\nseed = {n}\n' for n in range(LIVE_DEVICES)
        )
        config = folder / f"{name}.toml"
        site = list(SITES)[-1]
        config.write_text(
            f'id = "{name}"\nsite = "{site}"\nstatus_listen = "{status}"\n[journal]\nfolder = "{folder / name}"\n[mqtt]\nhost = "localhost"\n'
            f'port = {port}\nca_file = "{stage.data / "secrets/ca.pem"}"\npassword_file = "{password}"\n{sources}'
        )
        self.role = Role(name, [binary("medfleet-agent"), "--config", str(config)], folder / f"{name}.log", status, "/live")


class LateStage(Embedded):
    """The embedded stage; the agent of the load is cut off from the start, and the live ones are not."""

    # The agent of the load keeps the whole day.
    journal_share = 3.0

    live_passwords: dict[str, Path] | None = None

    def __init__(self, folder: Path, loads: list[AgentLoad], hook: Hook) -> None:
        (folder / "rules.yaml").write_text(RULES)
        (folder / "routes.yaml").write_text(ROUTES.format(url=hook.url))
        self.options = ("--rules", str(folder / "rules.yaml"), "--routes", str(folder / "routes.yaml"), "--deliver-to", "127.0.0.1")
        super().__init__(folder, loads)

    def _password(self, agent: str) -> Path:
        """Passwords are read when the process starts."""
        if self.live_passwords is None:
            self.live_passwords = {name: super(LateStage, self)._password(name) for name in (f"live-{n}" for n in range(LIVE_AGENTS))}
        return super()._password(agent)

    def go_live(self) -> None:
        command = self.up.command
        port = int(command[command.index("--mqtt-listen") + 1].rsplit(":", 1)[1])
        self.live = [Live(self, name, self.folder, password, port) for name, password in self.live_passwords.items()]
        for live in self.live:
            self.others.insert(0, live.role)
            live.role.start()

    def call(self, path: str, body: dict | None = None) -> dict:
        token = (self.data / "secrets/login.token").read_text()
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.up.status}{path}", data, headers), timeout=10) as answer:
            return json.loads(answer.read())


def test_a_day_that_arrives_late_amends_history_and_delays_nobody(tmp_path: Path) -> None:
    loads = load.write(tmp_path, BACKLOG_FACTS, 1, seed=24, shape=BACKLOG)
    expected = oracle.expect(loads)
    spans = [row["at"] for file in loads[0].files for row in file.rows]
    assert max(spans) - min(spans) > 24 * HOUR_MILLIS, "the backlog is shorter than a day"
    assert max(spans) < time.time() * 1_000, "the backlog reaches into the future"
    hook = Hook()
    stage = LateStage(tmp_path, loads, hook)
    try:
        late: Agent = stage.agents[0]
        late.role.kill()
        stage.links.harm("agent", "refuse")
        late.role.start()
        stage.go_live()
        await_true("the backlog in the cut-off agent's journal", lambda: late.taken() == late.rows(), BACKLOG_DEADLINE_SECONDS)
        await_true("live facts in the table", lambda: _age_seconds(stage) is not None, FIRST_FACTS_SECONDS)
        worst_before = max(_age_seconds(stage) for _ in range(20))
        began = time.monotonic()
        stage.links.restore("agent")
        ages = []
        while not (late.is_done() and _folded(stage, expected)):
            assert time.monotonic() - began < BACKLOG_DEADLINE_SECONDS, f"the backlog did not arrive\n{stage.up.last_words()}"
            ages.append(_age_seconds(stage))
            time.sleep(TABLES_POLL_SECONDS)
        took = time.monotonic() - began
        hours = (max(spans) - min(spans)) / HOUR_MILLIS
        print(
            f"{expected.facts_total()} facts of {hours:.1f} hours arrived late and were folded in {took:.1f} s; age of the newest live fact: "
            f"{worst_before:.1f} s before, at most {max(ages):.1f} s over {len(ages)} looks while they arrived"
        )
        assert max(ages) < FRESH_WITHIN_SECONDS
        nobody_is_woken_for_yesterday(stage, hook, {row["device"] for file in loads[0].files for row in file.rows})
        for live in stage.live:
            live.role.stop()
        lives = Play(stage, expected.facts_total()).drain()
        stage.stop_servers()
        found = judge(stage.lake, expected, lives, agent_kills=1, aside="live-")
        assert found.violations == []
    finally:
        stage.end()
        hook.end()


def nobody_is_woken_for_yesterday(stage: LateStage, hook: Hook, devices: set[str]) -> None:
    """Of some of its devices a person says now that they are down: who was told of that has been told of all before it."""

    def of_yesterday() -> dict[str, list]:
        return {device: stage.call(f"/api/v1/alerts?subject={device}&limit=1000")["alerts"] for device in devices}

    # Some are not: what fails while it is in maintenance is no news.
    await_true("alerts of most devices of the backlog", lambda: sum(map(bool, of_yesterday().values())) > len(devices) / 2, ALERT_DEADLINE_SECONDS)
    alerts_before = of_yesterday()
    asked = sorted(devices)[:: len(devices) // DEVICES_ASKED]
    for device in asked:
        ask = {"type": "register", "kind": device.split("-")[3], "serial": device}
        stage.call(f"/api/v1/devices/{device}/requests", {"author": "kim", "site": next(iter(SITES)), "ask": ask})
    known = lambda: {one["device"] for one in stage.call("/api/v1/devices?limit=1000")["devices"]}  # noqa: E731
    await_true("the devices", lambda: known() >= set(asked), ALERT_DEADLINE_SECONDS)
    for device in asked:
        stage.call(f"/api/v1/devices/{device}/assertions", {"claim": "down", "author": "kim", "reason": "seen"})

    def told() -> list[str]:
        return [post.json()["data"]["subject"].removeprefix("device/") for post in hook.of("/hook")]

    await_true("a call for each device that is down now", lambda: set(asked) <= set(told()), ALERT_DEADLINE_SECONDS)
    told_of = [subject for subject in told() if subject in devices]
    assert sorted(told_of) == asked, "somebody was called for what was over"
    late = sum(len(alerts) for alerts in alerts_before.values())
    print(f"{late} alerts of yesterday called nobody, {len(told()) - len(told_of)} messages of live devices and {len(told_of)} of what people said went out")
    assert all(alert["late"] for alerts in alerts_before.values() for alert in alerts)
    assert len(told()) > len(told_of), "a live device failed meanwhile and nobody was called"


def _folded(stage: Embedded, expected: oracle.Expected) -> bool:
    """Every error of the backlog is in its table: the live facts keep the lag from ever being zero."""
    tables = Tables(stage.lake)
    return tables.open("errors") and tables.one("SELECT count(*) FROM errors WHERE NOT starts_with(device, 'live-')") >= len(expected.error_texts)


def _age_seconds(stage: Embedded) -> float | None:
    """Age of the newest fact of the live agents that SQL can see, by the raw files; the agent that is furthest behind counts."""
    tables = Tables(stage.lake)
    if not tables.open("facts"):
        return None
    newest = tables.rows("SELECT agent, max(epoch_us(\"at\")) FROM facts WHERE starts_with(agent, 'live-') GROUP BY agent")
    return time.time() - min(at for _, at in newest) / 1e6 if len(newest) == LIVE_AGENTS else None
