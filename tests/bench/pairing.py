"""Compares two sides by measuring them alternately in one run, and reports the ratio.

Ratios of one run carry over to other machines; single figures do not. Both sides run once as a warm-up that does not
count.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Side = Callable[[], Mapping[str, float]]
"""Runs one side once; returns its figures by name."""


@dataclass(frozen=True)
class Goal:
    """The goal for the ratio of ours to the baseline: at least `ratio`, or at most."""

    ratio: float
    at_most: bool = False

    def is_met(self, ratio: float) -> bool:
        """Return whether this ratio meets the goal."""
        return ratio <= self.ratio if self.at_most else ratio >= self.ratio

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.ratio:g}"


@dataclass(frozen=True)
class Pair:
    """The figures of both sides, round by round."""

    ours: list[float]
    baseline: list[float]

    @property
    def ratio(self) -> float:
        """The ratio of the medians, ours to the baseline's."""
        return median(self.ours) / median(self.baseline)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of all rounds."""
        ratios = [ours / theirs for ours, theirs in zip(self.ours, self.baseline, strict=True)]
        return min(ratios), max(ratios)

    def as_report(self, what: str, unit: str, goal: Goal) -> dict[str, Any]:
        """Return the figures, their ratio and whether it meets the goal, as a report stores them."""
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
"""The measured pairs by name, and a text that says how much work a round does."""


def in_turn(ours: Side, baseline: Side, rounds: int) -> dict[str, Pair]:
    """Measure both sides alternately (A B A B …), after one run of each that does not count.

    Returns:
        The figures of both sides in each round, by the figure's name.
    """
    ours()
    baseline()
    seen = [(ours(), baseline()) for _ in range(rounds)]
    return {name: Pair([a[name] for a, _ in seen], [b[name] for _, b in seen]) for name in seen[0][0]}
