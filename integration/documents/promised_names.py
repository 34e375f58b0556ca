"""Wire names that are stored are committed with the schemas, and one that vanishes is refused.

Deliveries are stored under their consumer, histories under the stream, builds under their read model, and tasks in the
broker under their routine. A name that the code no longer knows would leave them to nobody. `formerly` renames it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from integration.aggregates.rebuild import aggregates
from integration.contracts.registry import WRITE_IT, Verdict
from integration.messaging.consumers import consumers
from integration.messaging.routines import routines
from integration.read_models.registry import read_models


class Kind(NamedTuple):
    """The names of one kind that this code knows.

    Args:
        title: what to call the kind, such as `consumer`.
        stored: what is stored under such a name.
        names: the names of today.
        former: the names that `formerly` renames.
    """

    title: str
    stored: str
    names: frozenset[str]
    former: frozenset[str]


def kinds() -> list[Kind]:
    """Return the kinds of names with the names of this code, in the order of the file."""
    streams = {f"{model._meta.app_label}.{model.stream}" for model in aggregates()}
    former_streams = {f"{model._meta.app_label}.{name}" for model in aggregates() for name in model.formerly}
    return [
        Kind("consumer", "deliveries", _of({name for name, _ in consumers.items()}), frozenset(consumers.renamed)),
        Kind("read model", "builds", _of({name for name, _ in read_models.items()}), frozenset(read_models.renamed)),
        Kind("routine", "tasks", _of({name for name, _ in routines.items()}), frozenset(routines.renamed)),
        Kind("stream", "events", _of(streams), frozenset(former_streams)),
    ]


def committed_names() -> dict[str, set[str]]:
    """Return the committed names by the title of their kind; none if the file does not exist."""
    if not _path().exists():
        return {}
    return {title: set(names) for title, names in json.loads(_path().read_text()).items()}


def verdicts_on_names() -> Iterator[Verdict]:
    """Compare the names of the code with the committed ones."""
    promised = committed_names()
    for kind in kinds():
        before = promised.get(kind.title, set())
        for name in sorted(before - kind.names - kind.former):
            sentence = (
                f"no {kind.title} has this wire name any more, but {kind.stored} are stored under it: restore it, or "
                f"name it in `formerly` of the {kind.title} that replaces it, or, once nothing is stored under it "
                f"anywhere, delete it from {_path().relative_to(settings.BASE_DIR)}"
            )
            yield Verdict(name, [sentence], [])
        for name in sorted(kind.names - before):
            yield Verdict(name, [], [f"the {kind.title} is new: {WRITE_IT}"])


def write_names() -> list[Path]:
    """Add the names of the code to the committed ones, and return the file if it changed. No name is removed."""
    promised = committed_names()
    names = {kind.title: sorted(promised.get(kind.title, set()) | kind.names) for kind in kinds()}
    text = json.dumps(names, indent=2) + "\n"
    if _path().exists() and _path().read_text() == text:
        return []
    _path().parent.mkdir(parents=True, exist_ok=True)
    _path().write_text(text)
    return [_path()]


def _of(names: set[str]) -> frozenset[str]:
    """Return the names of the project's own contexts."""
    return frozenset(name for name in names if name.partition(".")[0] in {"integration", *settings.CONTEXTS})


def _path() -> Path:
    return Path(settings.BASE_DIR) / "integration" / "contracts" / "schemas" / "names.json"
