"""How the domain says no: each refusal is a class of its own whose docstring is its sentence.

Screens translate the four families, not the single errors: a `Refused` is a conflict with the thing's state,
a `NotFound` an unknown identifier, an `Unacceptable` a value that cannot be worked with, and a `NotYet` a message
that came before the one it builds upon.
"""

from typing import ClassVar


class DomainError(Exception):
    """The domain refused."""

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or (self.__doc__ or "").strip())

    @property
    def detail(self) -> str:
        """The sentence a person can act upon."""
        return str(self)

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")


class Refused(DomainError):
    """The state of the thing does not allow this."""


class NotFound(DomainError):
    """There is no such thing."""


class NotYet(DomainError):
    """The message came before the one it builds upon; it will be tried again soon."""


class StaleVersion(DomainError):
    """Somebody changed the thing since it was read."""


class Unacceptable(DomainError):
    """The value cannot be worked with.

    Args:
        detail: what is wrong, as a sentence.
        pointer: where in the command's input, as a JSON pointer fragment, such as `/lines/0/sku`.
    """

    def __init__(self, detail: str | None = None, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class UnacceptableInput(Unacceptable):
    """Several values cannot be worked with."""

    def __init__(self, errors: list[Unacceptable]) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = errors
