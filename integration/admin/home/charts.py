"""Bar charts as inline SVG, drawn on the server: they need no script, no style in the page, and no other host."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

HEIGHT = 100
GAP = 0.25
"""The part of each bar's place that stays empty."""
LEAST_SHOWN = 1.5
"""The height of the lowest bar, so that little is not taken for nothing."""


class Bar(NamedTuple):
    """One bar of a chart.

    Args:
        label: what it stands for, such as a day.
        value: how high it is; at least 0.
        text: its value as people read it.
    """

    label: str
    value: float
    text: str


def bar_chart(title: str, bars: Sequence[Bar], total: str = "") -> SafeString:
    """A chart with its title, its total, the labels of its ends, and a table with all values.

    Args:
        title: what the chart shows.
        bars: at least one.
        total: the sum of all bars as people read it.
    """
    highest = max(bars, key=lambda bar: bar.value)
    middle = bars[len(bars) // 2]
    facts: dict[str, Any] = {
        "title": title,
        "total": total,
        "bars": bars,
        "shapes": _shapes(bars, highest.value),
        "highest": highest,
    }
    facts |= {"width": len(bars), "height": HEIGHT, "ends": (bars[0].label, middle.label, bars[-1].label)}
    return render_to_string("admin/waybill/chart.html", facts)


def _shapes(bars: Sequence[Bar], highest: float) -> list[dict[str, Any]]:
    """The rectangles of the bars with a value, in units of the picture: one bar is one unit wide."""
    scale = HEIGHT / highest if highest else 0
    heights = [(number, bar, max(bar.value * scale, LEAST_SHOWN)) for number, bar in enumerate(bars) if bar.value]
    return [
        {
            "x": round(number + GAP / 2, 3),
            "y": round(HEIGHT - height, 2),
            "width": 1 - GAP,
            "height": round(height, 2),
            "says": f"{bar.label}: {bar.text}",
        }
        for number, bar, height in heights
    ]
