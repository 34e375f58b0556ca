"""A minimal SVG writer. It uses whole pixels only, so that the same picture always gives the same text."""

from html import escape

LINE = 16
"""The distance between two lines of text, in pixels."""
INK, QUIET, PAPER = "#1f2933", "#9aa5b1", "#ffffff"
COLOURS = ("#dbeafe", "#dcfce7", "#fef3c7", "#fce7f3", "#ede9fe", "#e0f2fe", "#fee2e2", "#ecfccb")


def width_of(text: str) -> int:
    """An estimate of the text's width in pixels. It is rather too large than too small."""
    return 7 * len(text) + 4


class Picture:
    """An SVG picture that grows with its shapes; `str` gives the SVG text."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._shapes: list[str] = []
        self._width = self._height = 0

    def box(self, x: int, y: int, width: int, height: int, fill: str, double: bool = False) -> None:
        """Draw a box with round corners; `double` draws a second border inside it."""
        self._rectangle(x, y, width, height, fill)
        if double:
            self._rectangle(x + 4, y + 4, width - 8, height - 8, "none")

    def text(self, x: int, y: int, text: str, *, anchor: str = "start", bold: bool = False, ink: str = INK) -> None:
        """Draw a line of text.

        Args:
            x: the start, the middle or the end of the line, as `anchor` says.
            y: the baseline.
        """
        weight = ' font-weight="bold"' if bold else ""
        self._add(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{ink}"{weight}>{escape(text)}</text>')
        self._reach(x + (width_of(text) if anchor == "start" else width_of(text) // 2), y + 4)

    def line(self, *points: tuple[int, int], ink: str = INK, arrow: bool = False) -> None:
        """Draw a line through these points; `arrow` adds an arrowhead at its end."""
        path = " ".join(f"{x},{y}" for x, y in points)
        head = ' marker-end="url(#head)"' if arrow else ""
        self._add(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="1.5"{head}/>')
        self._reach(max(x for x, _ in points), max(y for _, y in points))

    def dot(self, x: int, y: int, radius: int = 5, hollow: bool = False) -> None:
        """Draw a filled circle or, if `hollow`, its outline."""
        fill = "none" if hollow else INK
        self._add(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}" stroke="{INK}" stroke-width="1.5"/>')
        self._reach(x + radius, y + radius)

    def __str__(self) -> str:
        width, height = self._width + 20, self._height + 20
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12">',
                f"<title>{escape(self.title)}</title>",
                '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
                f'orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="{INK}"/></marker></defs>',
                f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )

    def _rectangle(self, x: int, y: int, width: int, height: int, fill: str) -> None:
        self._add(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{INK}" '
            'stroke-width="1.5"/>'
        )
        self._reach(x + width, y + height)

    def _add(self, shape: str) -> None:
        self._shapes.append(shape)

    def _reach(self, x: int, y: int) -> None:
        self._width, self._height = max(self._width, x), max(self._height, y)
