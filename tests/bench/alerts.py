"""From a device's error to the people: when the event stream showed the alert and when the webhook came, with 10,000 devices at work."""

import json
import threading
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import numpy
from faults.play import tell
from faults.process import Failure, await_true, binary
from peers.hook import Hook

from .figure import Figure, below
from .street import House, run_agents

DEVICES, FACTS_PER_SECOND, SECONDS = 10_000, 2_000, 60
# One site of four is told of: about a dozen alerts a second, far more than a fleet brings about.
SITE = "west"
RULES = f"""
rules:
  - {{ name: device-error, when: device_error, severity: minor, urgency: page, says: "{{subject}}: {{part}}", sites: [{SITE}] }}
"""
ALERTS_AT_LEAST = 200
DRAIN_SECONDS = 60.0


class Stream:
    """The event stream of alerts, read as a page reads it: when each alert was seen first."""

    def __init__(self, house: House) -> None:
        self.seen: dict[str, tuple[float, dict]] = {}
        request = urllib.request.Request(f"http://{house.address}/api/v1/alerts/live", headers={"Authorization": f"Bearer {house.token}"})
        self.answer = urllib.request.urlopen(request, timeout=SECONDS + DRAIN_SECONDS)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.answer:
            if line.startswith(b"data: "):
                now = time.time()
                for alert in json.loads(line[6:]).get("alerts", []):
                    self.seen.setdefault(alert["alert"], (now, alert))


def to_people(folder: Path) -> list[Figure]:
    hook = Hook()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text(RULES)
    (folder / "routes.yaml").write_text(f"people: {{ kim: [{{ webhook: '{hook.url}/hook' }}] }}\nroutes: [{{ name: all, levels: [[{{ people: [kim] }}]] }}]\n")
    more = ["--rules", str(folder / "rules.yaml"), "--routes", str(folder / "routes.yaml"), "--deliver-to", "127.0.0.1"]
    house = House(folder, *more)
    try:
        house.start()
        stream = Stream(house)
        command = [binary("medfleet-bench"), "agents", "--facts-per-second", str(FACTS_PER_SECOND), "--seconds", str(SECONDS), "--devices", str(DEVICES)]
        said, _ = run_agents([*command, "--config", *map(str, house.configs)])
        tell(f"agents: {said}")
        # An alert that the stream never showed, or of which nobody was told, would be missing in the figures.
        await_true(
            "every alert in the stream and its webhook",
            lambda: 0 < house.ask("/api/v1/alerts?limit=1")["total"] == len(stream.seen) <= len({post.headers["webhook-id"] for post in hook.of("/hook")}),
            DRAIN_SECONDS,
        )
        house.role.stop()
        return _figures(stream, hook)
    finally:
        house.role.end()
        hook.end()


def _figures(stream: Stream, hook: Hook) -> list[Figure]:
    if len(stream.seen) < ALERTS_AT_LEAST:
        raise Failure(f"only {len(stream.seen)} alerts were seen, {ALERTS_AT_LEAST} are needed for a p99")
    known = {alert: datetime.fromisoformat(told["began_at"]).timestamp() for alert, (_, told) in stream.seen.items()}
    shown = [at - known[alert] for alert, (at, _) in stream.seen.items()]
    posts = [(post.json()["data"]["alert"], post.at) for post in hook.of("/hook")]
    told = [at - known[alert] for alert, at in posts if alert in known]
    beside = f"{len(shown)} alerts, {DEVICES:,} devices at {FACTS_PER_SECOND:,} facts/s"
    return [
        below("alerts", "device's error → alert in the event stream, p99", float(numpy.percentile(shown, 99)), "s", 2, 0.5, f"p50 {numpy.median(shown):.3f} s, max {max(shown):.2f} s; {beside}"),
        below("alerts", "device's error → webhook, p99", float(numpy.percentile(told, 99)), "s", 5, 2, f"p50 {numpy.median(told):.3f} s, max {max(told):.2f} s; one receiver"),
    ]
