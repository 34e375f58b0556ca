"""A figure is worth something beside another one of the same minute: two sides, measured in turn, and their ratio.

Both sides run once before the first round, unmeasured, so that neither is measured cold.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Side = Callable[[], Mapping[str, float]]
"""Runs once; returns its figures by name."""


@dataclass(frozen=True)
class Goal:
    """What a ratio of ours to the baseline is to be."""

    ratio: float
    at_most: bool = False

    def is_met(self, ratio: float) -> bool:
        """Whether it is that."""
        return ratio <= self.ratio if self.at_most else ratio >= self.ratio

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.ratio:g}"


@dataclass(frozen=True)
class Pair:
    """What was measured of both sides, round by round."""

    ours: list[float]
    baseline: list[float]

    @property
    def ratio(self) -> float:
        """Of the medians, ours to the baseline's."""
        return median(self.ours) / median(self.baseline)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of a round."""
        ratios = [ours / theirs for ours, theirs in zip(self.ours, self.baseline, strict=True)]
        return min(ratios), max(ratios)

    def told(self, what: str, unit: str, goal: Goal) -> dict[str, Any]:
        """All of it, for a report."""
        return {
            "what": what,
            "unit": unit,
            "goal": str(goal),
            "met": goal.is_met(self.ratio),
            "ratio": self.ratio,
            "ratios": self.spread,
            "medians": {"ours": median(self.ours), "baseline": median(self.baseline)},
            "rounds": asdict(self),
        }


Measurement = tuple[dict[str, Pair], str]
"""The pairs that were measured, by name, and how much was done in a round."""


def in_turn(ours: Side, baseline: Side, rounds: int) -> dict[str, Pair]:
    """Measure A B A B …, after one of each that does not count.

    Returns:
        By the name of a figure, what both sides made of it in each round.
    """
    ours()
    baseline()
    seen = [(ours(), baseline()) for _ in range(rounds)]
    return {name: Pair([a[name] for a, _ in seen], [b[name] for _, b in seen]) for name in seen[0][0]}
