"""Figures of the product beside those of the oracle: how many were compared, and every one that differs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

RELATIVE = 1e-9
SHOWN = 60


def same(one, other) -> bool:
    """Counts, flags and words to the letter, numbers to the last digits that a sum in another order may move."""
    if one is None or other is None or isinstance(one, str | bool | datetime) or isinstance(other, str | bool | datetime):
        return one == other
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=RELATIVE)


@dataclass
class Tally:
    figures: int = 0
    differ: list[tuple] = field(default_factory=list)

    def figure(self, where: tuple, name: str, product, oracle) -> None:
        self.figures += 1
        if not same(product, oracle):
            self.differ.append((*where, name, product, oracle))

    def row(self, where: tuple, product: Mapping, oracle: Mapping, names: Iterable[str]) -> None:
        for name in names:
            self.figure(where, name, product.get(name, "not told"), oracle[name])

    def rows(self, where: tuple, product: Mapping[tuple, Mapping], oracle: Mapping[tuple, Mapping]) -> None:
        """Rows by key: none too many, none missing, and every cell that the oracle speaks of."""
        for key in sorted(product.keys() ^ oracle.keys(), key=str):
            self.figure((*where, *key), "row", "there" if key in product else None, "there" if key in oracle else None)
        for key in product.keys() & oracle.keys():
            self.row((*where, *key), product[key], oracle[key], oracle[key].keys())

    def told(self) -> str:
        lines = [f"{self.figures} figures, {len(self.differ)} differ"]
        lines += [f"  {' '.join(map(str, where))}: product {product}, oracle {oracle}" for *where, product, oracle in self.differ[:SHOWN]]
        return "\n".join(lines)

    def must_agree(self, at_least: int) -> None:
        print(self.told())
        assert self.figures >= at_least, "enough was compared"
        assert not self.differ, self.told()
