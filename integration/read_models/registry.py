"""The read models of this code, each with a fingerprint of the code that determines its rows.

A build belongs to the code whose fingerprint it carries. So two versions of the code that run side by side keep
separate rows, and a new version builds its rows anew where they may differ.
"""

from collections.abc import Callable
from functools import cache
from inspect import isfunction
from sys import modules
from types import CodeType
from typing import Any

from msgspec import Struct

from integration.domain.fingerprints import fingerprint, meaning_of, methods_of
from integration.domain.naming import WireNames


class ReadModel(Struct, frozen=True):
    """A projection and the rows it maintains.

    Args:
        rows: the table of its rows, a subclass of `models.Row`; `rows.read_model` is its wire name.
        stream: the kind of aggregate whose events it uses.
        events: the wire names of those events; empty for all events of the stream.
        project: applies a `batch.Batch` of events to the rows of a build.
        module: the compiled module of the projection, which also has the functions that it calls.
    """

    rows: type[Any]
    stream: str
    events: frozenset[str]
    project: Callable[[Any], None]
    module: CodeType

    @property
    def name(self) -> str:
        """Its wire name, `context.what-it-shows`."""
        return self.rows.read_model

    @property
    def context(self) -> str:
        """The context whose history it reads."""
        return self.name.partition(".")[0]

    @property
    def code(self) -> str:
        """The fingerprint of the code that determines its rows.

        It covers the columns, the events, the projection with its module, and the functions of the context that this
        module imports. It does not cover what those call. After a change there, run `manage.py rebuild`.
        """
        return _fingerprint(self)

    def wants(self, stream: str, name: str) -> bool:
        """Whether the read model uses an event of this stream and wire name."""
        return stream == self.stream and (not self.events or name in self.events)


read_models: WireNames[ReadModel] = WireNames("read model")


def of_context(context: str) -> list[ReadModel]:
    """The read models of a context, by name."""
    return [model for _, model in read_models.items() if model.context == context]


@cache
def _fingerprint(model: ReadModel) -> str:
    columns = [(field.attname, field.get_internal_type()) for field in model.rows._meta.concrete_fields]
    code = [meaning_of(model.project), meaning_of(model.module), _imported(model), methods_of(model.rows)]
    return fingerprint(model.name, model.stream, sorted(model.events), columns, code)


def _imported(model: ReadModel) -> list[Any]:
    """The functions of its context that the projection's module imports, by name."""
    found = sorted(vars(modules[model.project.__module__]).items())
    return [
        (name, meaning_of(it))
        for name, it in found
        if isfunction(it) and it.__module__.partition(".")[0] == model.context
    ]
