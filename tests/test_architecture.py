"""The architecture's rules: which package may import which, the modules of a context, and the form of names."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.test.utils import isolate_apps

from integration.contracts.contract import contracts
from integration.domain.events import domain_events
from integration.messaging.consumers import consumers
from integration.messaging.routines import routines
from ordering.models import Order

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["config", "integration", *settings.CONTEXTS]
MODULES = {
    "__init__",
    "admin",
    "api",
    "apps",
    "commands",
    "events",
    "invariants",
    "migrations",
    "models",
    "policies",
    "schemas",
}
OPTIONAL_MODULES = {"gateways", "letters", "pricing", "printing", "queries", "reconciliation", "remedies", "roles"}


# --- Imports ---


@pytest.fixture
def copy_of_the_project(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_the_dependency_rule_holds(copy_of_the_project: Path) -> None:
    result = lint_imports(copy_of_the_project)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "planted", "named"),
    [
        ("ordering/commands/orders.py", "from inventory import models", "ordering.commands.orders -> inventory.models"),
        ("fulfillment/policies/saga.py", "import billing.events", "fulfillment.policies.saga -> billing.events"),
        ("integration/messaging/deliver.py", "import ordering.models", "integration.messaging.deliver -> ordering"),
        ("integration/domain/money.py", "import integration.messaging", "integration.domain.money -> integration"),
        (
            "inventory/models/history.py",
            "from inventory import commands",
            "inventory.models.history -> inventory.commands",
        ),
        ("billing/commands.py", "from config import urls", "billing.commands -> config.urls"),
    ],
)
def test_a_module_that_breaks_the_dependency_rule_is_named(
    copy_of_the_project: Path, module: str, planted: str, named: str
) -> None:
    with (copy_of_the_project / module).open("a") as file:
        file.write(f"\n{planted}\n")
    result = lint_imports(copy_of_the_project)
    assert result.returncode == 1, result.stdout + result.stderr
    assert named in result.stdout.replace("\n", " ")


def keys_across_contexts(among: Iterable[type[models.Model]]) -> set[str]:
    """The foreign keys of our models to a model of another package, except those to Django's users."""
    found = set()
    for model in among:
        for field in model._meta.get_fields():
            other = field.related_model
            if field.auto_created or not isinstance(other, type) or other is User or package_of(model) not in PACKAGES:
                continue
            if package_of(other) != package_of(model):
                found.add(f"{model._meta.label}.{field.name} -> {other._meta.label}")
    return found


def package_of(thing: type) -> str:
    return thing.__module__.partition(".")[0]


def test_no_foreign_key_crosses_contexts() -> None:
    assert keys_across_contexts(apps.get_models()) == set()


@isolate_apps("inventory")
def test_a_foreign_key_that_crosses_contexts_is_found() -> None:
    class Planted(models.Model):
        __module__ = "inventory.models"
        order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+")

        class Meta:
            app_label = "inventory"

        def __str__(self) -> str:
            return "planted"

    assert keys_across_contexts([Planted]) == {"inventory.Planted.order -> ordering.Order"}


# --- Modules ---


@pytest.mark.parametrize("context", settings.CONTEXTS)
def test_every_context_has_the_same_modules(context: str) -> None:
    modules = {path.stem for path in (ROOT / context).iterdir() if path.stem != "__pycache__"}
    assert modules - OPTIONAL_MODULES == MODULES
    assert (ROOT / context / "policies" / "saga.py").exists()


def modules(*roots: str) -> Iterator[Path]:
    """All our Python files below these folders, except migrations, which Django generates."""
    for root in roots:
        yield from (path for path in sorted((ROOT / root).rglob("*.py")) if "migrations" not in path.parts)


def test_every_module_opens_with_a_docstring() -> None:
    paths = [ROOT / "manage.py", *modules(*PACKAGES, "tests")]
    assert len(paths) > 100
    assert [str(path.relative_to(ROOT)) for path in paths if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_module_is_longer_than_300_lines() -> None:
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in {"tests", "var"}]
    paths = [*ROOT.glob("*.py"), *modules(*(name for name in folders if not name.startswith(".")))]
    assert len(paths) > 200
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


# --- Names ---


def ours(things: list[tuple[str, type]]) -> dict[str, str]:
    """The names that our packages registered, with their modules. What tests registered is left out."""
    return {name: thing.__module__ for name, thing in things if package_of(thing) in PACKAGES}


def test_every_domain_event_is_named_after_its_context_and_what_happened() -> None:
    names = ours(domain_events.items())
    assert len(names) > 30
    wrong = {name for name in names if not re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)+", name)}
    assert wrong == set()
    homes = {name: re.compile(rf"{name.partition('.')[0]}\.events(\.[a-z_]+)?") for name in names}
    assert {name: module for name, module in names.items() if not homes[name].fullmatch(module)} == {}


def test_every_contract_is_named_after_its_context_and_what_happened() -> None:
    names = ours(contracts.items())
    assert len(names) > 15
    assert {name for name in names if not re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)+", name)} == set()
    homes = {name: f"integration.contracts.{name.partition('.')[0]}" for name in names}
    assert names == homes


def test_every_reaction_and_routine_is_named_after_its_context_and_what_it_does() -> None:
    reactions = {name: consumer.handle.__module__ for name, consumer in consumers.items()}
    routine = {name: routine.run.__module__ for name, routine in routines.items()}
    names = {name: module for name, module in {**reactions, **routine}.items() if module.partition(".")[0] in PACKAGES}
    assert len(names) > 20
    assert set(reactions) & set(routine) == set()
    assert {name for name in names if not re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)+", name)} == set()
    stray = {name: module for name, module in names.items() if not module.startswith(f"{name.partition('.')[0]}.")}
    assert stray == {}


# --- Publishers and consumers ---


def made_in(package: str) -> set[str]:
    """The dotted names of the contracts that a package creates instances of."""
    return {name for path in modules(package) for name in calls(ast.parse(path.read_text())) if "contracts" in name}


def calls(tree: ast.Module) -> Iterator[str]:
    """The dotted names of the functions and classes that a module calls, as it imported them."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, *rest = ast.unparse(node.func).split(".")
            yield ".".join([known.get(first, first), *rest])


@pytest.mark.parametrize("context", settings.CONTEXTS)
def test_a_context_publishes_exactly_its_own_contracts(context: str) -> None:
    declared = {
        f"{contract.__module__}.{contract.__name__}"
        for name, contract in contracts.items()
        if name.startswith(f"{context}.") and package_of(contract) in PACKAGES
    }
    all_declared = {f"{contract.__module__}.{contract.__name__}" for _, contract in contracts.items()}
    assert made_in(context) & all_declared == declared


def test_contexts_publish_contracts() -> None:
    publishing = {name.partition(".")[0] for name in ours(contracts.items())}
    assert {"ordering", "inventory", "billing", "fulfillment"} <= publishing


def test_every_consumed_contract_is_published() -> None:
    published = set().union(*(made_in(context) for context in settings.CONTEXTS))
    consumed = {consumer.listens_to for _, consumer in consumers.items() if package_of(consumer.listens_to) in PACKAGES}
    assert consumed
    assert {f"{contract.__module__}.{contract.__name__}" for contract in consumed} - published == set()


def test_every_test_module_has_a_name_of_its_own() -> None:
    """Two modules of one name without a package are one module for pytest, which then leaves one of them out."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert {name: count for name, count in names.items() if count > 1} == {}
