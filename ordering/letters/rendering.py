"""Renders a letter as a text and as HTML.

Many mail programs ignore style sheets, so the styles are written into the elements.
"""

from functools import cache
from typing import NamedTuple

from css_inline import CSSInliner
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from ordering.letters.letter import Letter


class Rendered(NamedTuple):
    """A letter as it is sent."""

    subject: str
    text: str
    html: str


@cache
def _inliner() -> CSSInliner:
    """It loads nothing: neither remote style sheets nor files."""
    return CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


def render(letter: Letter, name: str) -> Rendered:
    """Render a letter in the active language.

    Args:
        letter: the letter.
        name: the buyer's name, or nothing.
    """
    greeting = _("Hello %(name)s,") % {"name": name} if name else _("Hello,")
    language = (translation.get_language() or "en").partition("-")[0]
    html = render_to_string("ordering/letter.html", {"letter": letter, "greeting": greeting, "language": language})
    return Rendered(letter.subject, _text(letter, greeting), _inliner().inline(html))


def _text(letter: Letter, greeting: str) -> str:
    parts = [greeting, *letter.paragraphs]
    if letter.rows:
        parts.append("\n".join(f"{what}: {value}" for what, value in letter.rows))
    if letter.link:
        label, url = letter.link
        parts.append(f"{label}: {url}")
    if letter.small_print:
        parts += ["--", *letter.small_print]
    return "\n\n".join(parts) + "\n"
