"""docs/MEASURED.md: the figures of a run take the place of the same rows' older ones, each with its command and date."""

import subprocess
import time
from pathlib import Path

from .figure import Figure

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
HEAD = ["| row | what | figure | floor | aim | beside | measured |", "|---|---|---|---|---|---|---|"]


def write(path: Path, root: Path, figures: list[Figure], options: str) -> None:
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    fresh = {figure.row for figure in figures}
    kept = [line for line in old.splitlines() if line.startswith("| ") and line not in HEAD and line.split("|")[1].strip() not in fresh]
    lines = kept + [_line(figure, options) for figure in figures]
    machine = subprocess.run([root / "infra/dev/machine.sh"], capture_output=True, text=True, check=True).stdout.strip()
    block = "\n".join([BEGIN, machine, "", *HEAD, *sorted(lines, key=lambda line: line.split("|")[1]), END])
    if not rest:
        before = f"{before.rstrip()}\n\n## The target table, measured by `make bench`\n\n"
        after = "\n"
    path.write_text(before + block + after)


def _line(figure: Figure, options: str) -> str:
    command = f"make bench ROW={figure.row}" + (f' BENCH="{options}"' if options else "")
    stamp = f"`{command}`, {time.strftime('%Y-%m-%d', time.gmtime())}"
    name = figure.figure if figure.holds else f"**{figure.figure}, floor missed**"
    return f"| {figure.row} | {figure.what} | {name} | {figure.floor} | {figure.aim} | {figure.beside} | {stamp} |"
