"""One measured figure: what it is, the floor it must not miss, and what stands beside it."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    row: str
    """The row of the target table; `make bench ROW=…` measures one."""
    what: str
    figure: str
    floor: str
    aim: str
    holds: bool
    """Whether the floor is met."""
    beside: str

    def line(self) -> str:
        return f"{'ok  ' if self.holds else 'MISS'} {self.row}: {self.what}: {self.figure} (floor {self.floor}, aim {self.aim}); {self.beside}"


def at_least(row: str, what: str, value: float, unit: str, floor: float, aim: float, beside: str, spread: str = "") -> Figure:
    shown = f"{short(value)} {unit}{spread}"
    return Figure(row, what, shown, f"{short(floor)} {unit}", f"{short(aim)} {unit}", value >= floor, beside)


def below(row: str, what: str, value: float, unit: str, floor: float, aim: float, beside: str) -> Figure:
    return Figure(row, what, f"{short(value)} {unit}", f"< {short(floor)} {unit}", f"< {short(aim)} {unit}", value < floor, beside)


def ratio(row: str, what: str, said: dict, floor: float, aim: float, beside: str = "") -> Figure:
    """Product over control, turn by turn; the median counts."""
    ratios = sorted(product / control for product, control in zip(said["product"], said["control"], strict=True))
    product, control = (statistics.median(said[side]) for side in ("product", "control"))
    cores = [statistics.median(said[f"{side}_per_core"]) for side in ("product", "control")]
    text = f"{short(product)} beside {short(control)} {said['unit']}, a core {short(cores[0])} beside {short(cores[1])}"
    spread = f" ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return at_least(row, what, statistics.median(ratios), "×", floor, aim, "; ".join(filter(None, [text, beside])), spread)


def short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
