"""Errors of the domain. Each is a class of its own, and its docstring is the default message.

Callers such as the REST API translate the families and not the single errors:

* `Refused`: the request conflicts with the state of the object.
* `NotFound`: the identifier is unknown.
* `Unacceptable`: a value is invalid.
* `NotYet`: the message arrived before the message it depends on.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar


class DomainError(Exception):
    """The domain refused the request."""

    code: ClassVar[str] = "refused"
    """The stable identifier that the API returns; by default the class name in snake case."""
    more: Mapping[str, Any] = MappingProxyType({})
    """Further members of the problem document that the API returns, by name."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or (self.__doc__ or "").strip())

    @property
    def detail(self) -> str:
        """The message for a person, as a sentence."""
        return str(self)

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")


class Refused(DomainError):
    """The current state of the object does not allow this."""


class NotFound(DomainError):
    """The object does not exist."""


class NotYet(DomainError):
    """The message arrived before the message it depends on. It will be retried soon."""


class StaleVersion(DomainError):
    """The object was changed after it was read."""


class Unacceptable(DomainError):
    """The value is invalid.

    Args:
        detail: what is wrong, as a sentence.
        pointer: where the value is in the command's input, as a JSON pointer fragment such as `/lines/0/sku`.
    """

    def __init__(self, detail: str | None = None, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class UnacceptableInput(Unacceptable):
    """Several values are invalid.

    Args:
        errors: one error for each value.
    """

    def __init__(self, errors: list[Unacceptable]) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = errors


class RefusedInput(Refused):
    """Parts of the input conflict with the current state of something.

    Args:
        errors: one error for each part, with its pointer.
    """

    def __init__(self, errors: list[Unacceptable]) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = errors


class OutcomeUnknown(Exception):
    """An external system did not respond: it may have done what was requested or not. Ask again under the same key.

    Args:
        detail: what happened instead.
        retry_after: how long the external system asks to wait; None if it does not say.
    """

    def __init__(self, detail: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(detail or "The external system did not respond.")
        self.retry_after = retry_after
