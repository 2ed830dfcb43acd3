"""The control of agent memory: Debian's rsyslog with a queue on disk and nobody to send it to. Debian has neither Telegraf nor Fluent Bit."""

import os
import socket
import subprocess
from pathlib import Path

from faults.process import TOOLS, await_true, free_ports

HOME = TOOLS / "rsyslog"
LIBRARIES = HOME / "usr/lib/x86_64-linux-gnu"
LINES_PER_WRITE = 1_000
TAKEN_DEADLINE_SECONDS = 120.0


class Rsyslog:
    """One daemon over a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.port, nobody = folder, free_ports(1), free_ports(1)
        self.counts = folder / "counts"
        config = folder / "rsyslog.conf"
        config.write_text(
            f'global(workDirectory="{folder}" maxMessageSize="8k")\n'
            'module(load="impstats" interval="1" log.syslog="off" format="legacy" resetCounters="off" '
            f'log.file="{self.counts}")\nmodule(load="imptcp")\ninput(type="imptcp" address="127.0.0.1" port="{self.port}")\n'
            f'action(type="omfwd" name="away" target="127.0.0.1" port="{nobody}" protocol="tcp" action.resumeRetryCount="-1" '
            'queue.type="LinkedList" queue.filename="day" queue.maxDiskSpace="4g" queue.saveOnShutdown="on" queue.size="10000")\n'
        )
        surroundings = os.environ | {"LD_LIBRARY_PATH": str(LIBRARIES), "RSYSLOG_MODDIR": f"{LIBRARIES}/rsyslog/"}
        command = [str(HOME / "usr/sbin/rsyslogd"), "-n", "-f", str(config), "-i", str(folder / "pid")]
        with (folder / "log").open("wb") as log:
            self.child = subprocess.Popen(command, env=surroundings, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        await_true("rsyslog's port", self._listens)

    def say(self, lines: int, line_bytes: int) -> None:
        """Returns once it has taken them all in."""
        head = b"<13>Nov 26 23:00:00 host bench: "
        line = head + b"x" * (line_bytes - len(head) - 1) + b"\n"
        with socket.create_connection(("127.0.0.1", self.port)) as door:
            for first in range(0, lines, LINES_PER_WRITE):
                door.sendall(line * min(LINES_PER_WRITE, lines - first))
        await_true("rsyslog's taking in of all lines", lambda: self._queued() >= lines, TAKEN_DEADLINE_SECONDS)

    def end(self) -> None:
        self.child.kill()
        self.child.wait()

    def _queued(self) -> int:
        """Lines that wait in memory and on disk, by its own counters."""
        sizes: dict[str, int] = {}
        for line in self.counts.read_text().splitlines() if self.counts.exists() else []:
            name, _, counters = line.partition(": origin=core.queue ")
            if counters and "away" in name:
                sizes[name.split(": ", 1)[-1].split("away", 1)[1]] = int(counters.split("size=", 1)[1].split(" ", 1)[0])
        return sum(sizes.values())

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
