"""The links between roles, led through infra/dev/tcp_proxy.py so that they can be cut."""

import json
import subprocess
import sys
import urllib.request

from .process import ROOT, STOP_DEADLINE_SECONDS, Failure

CONTROL_SECONDS = 15.0


class Links:
    """One proxy process that carries several named links."""

    def __init__(self, **targets: tuple[int, str]) -> None:
        """Each link by name: the port to listen on (0: any) and HOST:PORT behind it."""
        command = [sys.executable, str(ROOT / "infra/dev/tcp_proxy.py"), "--control", "127.0.0.1:0"]
        for name, (port, target) in targets.items():
            command += ["--link", f"{name}=127.0.0.1:{port},{target}"]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.child.stdout.readline() or "null")
        if told is None:
            raise Failure("the proxy of the links did not start")
        self.control = told["control"]
        self.addresses: dict[str, str] = told["links"]
        self.cuts = dict.fromkeys(targets, 0)

    def port(self, name: str) -> int:
        return int(self.addresses[name].rsplit(":", 1)[1])

    def harm(self, name: str, action: str) -> None:
        """cut, refuse or blackhole; the last two last until `restore`."""
        self._post(name, action)
        self.cuts[name] += 1

    def hold(self, name: str) -> None:
        """Nothing passes until `restore`. A means of the harness, so it is not counted among the cuts."""
        self._post(name, "blackhole")

    def restore(self, name: str) -> None:
        self._post(name, "restore")

    def pace(self, name: str, bytes_per_second: int) -> None:
        """How fast a link carries what goes up; 0: as fast as it comes."""
        self._post(name, f"pace/{bytes_per_second}")

    def _post(self, name: str, action: str) -> None:
        request = urllib.request.Request(f"http://{self.control}/{name}/{action}", method="POST")
        with urllib.request.urlopen(request, timeout=CONTROL_SECONDS) as answer:
            answer.read()

    def end(self) -> None:
        self.child.terminate()
        self.child.wait(STOP_DEADLINE_SECONDS)
