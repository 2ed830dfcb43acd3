"""The Los Alamos log as a person imports it, beside what the oracle makes of the same file."""

import csv
import io
import lzma
from pathlib import Path

import kpi
import lanl
from product import medfleet

MAPPING = lanl.LOG.parent / "mapping.toml"


def some_systems(wanted: str) -> bytes:
    """The log as released, or only the rows of some systems."""
    whole = lzma.open(lanl.LOG).read()
    if wanted == "all":
        return whole
    rows = list(csv.reader(io.StringIO(whole.decode())))
    kept = io.StringIO()
    csv.writer(kept).writerows(row for row in rows if row[0] in {rows[0][0], *wanted.split(",")})
    return kept.getvalue().encode()


class Imported:
    """One file, imported and folded."""

    def __init__(self, folder: Path, systems: str):
        self.data, self.file, self.rejects = folder / "data", folder / "log.csv", folder / "rejects.csv"
        self.file.write_bytes(some_systems(systems))
        self.tell()

    def tell(self) -> None:
        arguments = ["import", "--mapping", str(MAPPING), "--rejects", str(self.rejects), "-"]
        self.said = medfleet(self.data, *arguments, stdin=self.file.read_bytes())

    def oracle(self) -> tuple[dict[int, dict], dict[str, int]]:
        log, outages, nodes = self._read()
        systems = {one["system"]: one for one in lanl.figures(log, outages, nodes)}
        return systems, lanl.traps(log, outages, nodes)

    def lives(self) -> list[kpi.Life]:
        return lanl.lives(*self._read())

    def _read(self):
        log = lanl.read(self.file, lanl.ZONE)
        return log, lanl.episodes(log), lanl.service(log)
