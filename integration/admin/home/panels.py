"""The registry of panels: what else the operators' first page shows, such as charts. Panels read only read models."""

from collections.abc import Callable
from typing import NamedTuple

from django.db.models import Model
from django.utils.safestring import SafeString

from integration.admin.viewer import may_view

Show = Callable[[], SafeString]


class Panel(NamedTuple):
    """A panel of the page.

    Args:
        title: its heading.
        place: where it is shown, by this number.
        model: who may view these rows sees the panel.
        show: returns its content; empty if there is nothing to show.
    """

    title: str
    place: int
    model: type[Model]
    show: Show


_panels: dict[str, Panel] = {}


def panel(title: str, *, place: int, model: type[Model]) -> Callable[[Show], Show]:
    """Decorator that registers a function, which returns HTML, as a panel; the arguments are those of `Panel`."""

    def register(show: Show) -> Show:
        _panels[title] = Panel(title, place, model, show)
        return show

    return register


def all_panels() -> list[Panel]:
    """All panels, in the order of the page."""
    return sorted(_panels.values(), key=lambda each: each.place)


def panels() -> list[tuple[str, SafeString]]:
    """The titles and contents of the panels that the viewer of the page may see, and that have something to show."""
    seen = [each for each in all_panels() if may_view(each.model)]
    shown = [(each.title, each.show()) for each in seen]
    return [(title, content) for title, content in shown if content]
