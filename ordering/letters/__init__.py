"""What buyers read: a letter is written in the buyer's language, as a text and as HTML with the same content.

Each function of `orders`, `parcels` and `returns` writes one kind of letter from plain values, in the language that is
active. `config/locale/` has the translations.
"""

from ordering.letters import orders, parcels, returns
from ordering.letters.examples import EXAMPLES
from ordering.letters.language import LANGUAGES, in_language_of
from ordering.letters.letter import Letter
from ordering.letters.rendering import Rendered, render

__all__ = ["EXAMPLES", "LANGUAGES", "Letter", "Rendered", "in_language_of", "orders", "parcels", "render", "returns"]
