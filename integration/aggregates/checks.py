"""A system check: every message that code passes to `accepts` is a row of the aggregate's state table.

Without the check, a missing row raises a `KeyError` in a worker when the first such message arrives. The check reads
the source code of the aggregates and their contexts, so it finds messages that no test sends.
"""

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register

from integration.aggregates.aggregate import Aggregate


@register
def every_message_is_a_row(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report each message without a row that an aggregate's methods, or other modules of its app, pass to `accepts`."""
    by_app: dict[AppConfig, list[type[Aggregate]]] = defaultdict(list)
    for model in apps.get_models():
        if issubclass(model, Aggregate):
            by_app[apps.get_app_config(model._meta.app_label)].append(model)
    errors: list[CheckMessage] = []
    for app, aggregates in by_app.items():
        known: set[str] = set()
        for model in aggregates:
            missing = messages_without_row(model)
            errors += [_error(message, model.__name__) for message in missing]
            known |= {*_rows(model), *missing}  # each is reported once
        errors += [_error(each, f"any aggregate of {app.label}") for each in sorted(_sent_by_modules(app) - known)]
    _tree.cache_clear()  # the process may go on to serve, and does not need the trees again
    return errors


def messages_without_row(model: type[Aggregate]) -> list[str]:
    """The messages that an aggregate's methods pass to `self.accepts` and that its state table lacks, sorted.

    A method may pass its own parameter on: `self.accepts(message)`. Then the literals that other methods pass to that
    method count as messages. So do those of a variable of the method, those that another method returns, and those of
    a dict of the class: `self.accepts(self.messages_of_scans[status])`. Arguments passed by keyword, and f-strings, are
    not looked at.
    """
    methods: dict[str, ast.FunctionDef] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Aggregate) and base is not Aggregate:
            methods |= _methods(base)
    return sorted(_messages(model, methods) - _rows(model))


def _rows(model: type[Aggregate]) -> set[str]:
    return set(model.life.messages) if model.life else set()


def _methods(model: type[Aggregate]) -> dict[str, ast.FunctionDef]:
    classes = (node for node in ast.walk(_tree(inspect.getfile(model))) if isinstance(node, ast.ClassDef))
    body = next(node.body for node in classes if node.name == model.__name__)
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def _messages(model: type[Aggregate], methods: dict[str, ast.FunctionDef]) -> set[str]:
    """The literals that reach `self.accepts`, directly or through methods that pass a parameter on."""
    calls = [(method, call) for method in methods.values() for call in _calls(method) if _is_on_self(call)]
    messages: set[str] = set()
    receivers = [("accepts", 0)]
    for receiver, position in receivers:  # grows meanwhile
        for method, call in calls:
            parameters = [argument.arg for argument in method.args.args[1:]]
            for argument in call.args[position : position + 1] if _name(call) == receiver else ():
                for source in _sources(argument, method, methods):
                    messages |= _literals(source) | _values_of_dict(source, model)
                    if isinstance(source, ast.Name) and source.id in parameters:
                        passing_on = (method.name, parameters.index(source.id))
                        if passing_on not in receivers:
                            receivers.append(passing_on)
    return messages


def _sources(argument: ast.expr, method: ast.FunctionDef, methods: dict[str, ast.FunctionDef]) -> list[ast.expr]:
    """What an argument may be: itself, both of a condition, what its variable is set to, what its method returns."""
    found, sources = [(argument, method)], [argument]
    for source, where in found:  # grows meanwhile
        more: list[ast.expr] = []
        if isinstance(source, ast.IfExp):
            more = [source.body, source.orelse]
        elif isinstance(source, ast.Name):
            sets = (node for node in ast.walk(where) if isinstance(node, ast.Assign))
            more = [node.value for node in sets if source.id in map(_variable, node.targets)]
        elif isinstance(source, ast.Call) and _is_on_self(source) and _name(source) in methods:
            where = methods[_name(source)]
            more = [node.value for node in ast.walk(where) if isinstance(node, ast.Return) and node.value]
        new = [each for each in more if each not in sources]
        sources += new
        found += [(each, where) for each in new]
    return sources


def _variable(target: ast.expr) -> str:
    return target.id if isinstance(target, ast.Name) else ""


def _values_of_dict(source: ast.expr, model: type[Aggregate]) -> set[str]:
    """The values of a dict of the class, if the source is one of them: `self.messages_of_scans[status]`."""
    if isinstance(source, ast.Subscript) and isinstance(source.value, ast.Attribute) and _is_self(source.value.value):
        values = getattr(model, source.value.attr, None)
        return {*values.values()} if isinstance(values, dict) else set()
    return set()


def _sent_by_modules(app: AppConfig) -> set[str]:
    """The literals that an app's modules pass to the `accepts` of an aggregate other than `self`."""
    messages: set[str] = set()
    for path in Path(app.path).rglob("*.py"):
        if "migrations" not in path.parts and ".accepts(" in path.read_text(encoding="utf-8"):
            for call in _calls(_tree(str(path))):
                if _name(call) == "accepts" and not _is_on_self(call):
                    messages |= {literal for argument in call.args[:1] for literal in _literals(argument)}
    return messages


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    """All calls of methods, on whatever object."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))


def _name(call: ast.Call) -> str:
    return call.func.attr  # type: ignore[attr-defined]


def _is_on_self(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and _is_self(call.func.value)


def _is_self(sender: ast.expr) -> bool:
    return isinstance(sender, ast.Name) and sender.id == "self"


def _literals(argument: ast.expr) -> set[str]:
    """The texts that an argument may be: one, or both of a condition such as `"ship" if whole else "ship_in_part"`."""
    if isinstance(argument, ast.IfExp):
        return _literals(argument.body) | _literals(argument.orelse)
    return {argument.value} if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else set()


def _error(message: str, what: str) -> Error:
    return Error(
        f"the message {message!r} is no row in the state table of {what}",
        hint=f'Add a row "{message}" to the table, with a cell for each state.',
        id="waybill.E011",
    )
