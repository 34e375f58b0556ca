"""Every migration since c4a1a4a obeys the rules, and what the rules refuse is refused."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from tests.upgrades.rules import violations

OLDER = {
    "integration": 8,
    "ordering": 5,
    "inventory": 4,
    "billing": 6,
    "fulfillment": 5,
    "sandbox": 2,
}
"""The number of each app's last migration at commit c4a1a4a, before the rules were written."""

OF_A_NEW_CONTEXT = 2
"""The number of the last migration that `startcontext` makes: nobody uses its tables yet."""

EXCEPTIONS = {
    ("integration", "0012_code_of_builds"): "The table has few rows, one for each build of a read model.",
}
"""Migrations that break a rule, and why that harms nobody."""


def ours() -> list[tuple[str, str]]:
    """The migrations that the rules apply to."""
    labels = {"integration", "sandbox", *settings.CONTEXTS}
    assert labels <= {config.label for config in apps.get_app_configs()}
    keys = MigrationLoader(None).disk_migrations
    return sorted(
        (app, name) for app, name in keys if app in labels and int(name[:4]) > OLDER.get(app, OF_A_NEW_CONTEXT)
    )


@pytest.mark.parametrize(("app", "name"), ours())
def test_a_migration_obeys_the_rules(app: str, name: str) -> None:
    loader = MigrationLoader(None)
    migration = loader.get_migration(app, name)
    before = loader.project_state((app, name), at_end=False)
    found = list(violations(migration, before))
    assert bool(found) == ((app, name) in EXCEPTIONS), found


# --- The rules themselves ---

CHECK = models.CheckConstraint(condition=models.Q(price__gte=0), name="price_is_not_negative")
INDEX = models.Index(fields=["name"], name="things_by_name")
NAME = models.CharField(max_length=20)


@pytest.fixture
def state() -> ProjectState:
    """A table with a name and a price, and another one."""
    state = ProjectState()
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", NAME),
        ("price", models.DecimalField(max_digits=8, decimal_places=2)),
        ("note", models.CharField(max_length=20, null=True)),
    ]
    state.add_model(ModelState("shop", "thing", fields))
    state.add_model(ModelState("shop", "other", [("id", models.BigAutoField(primary_key=True))]))
    return state


def migrated(*operations: Any, atomic: bool = True) -> migrations.Migration:
    migration = migrations.Migration("0002_tried", "shop")
    migration.operations, migration.atomic = list(operations), atomic
    return migration


def add(field: models.Field) -> Sequence[Any]:
    return [migrations.AddField("thing", "added", field)]


def alter(name: str, field: models.Field) -> Sequence[Any]:
    return [migrations.AlterField("thing", name, field)]


def known(*operations: Any) -> Any:
    return migrations.SeparateDatabaseAndState(state_operations=operations)


def stored(*operations: Any) -> Any:
    return migrations.SeparateDatabaseAndState(database_operations=operations)


@pytest.mark.parametrize(
    "operations",
    [
        add(models.CharField(max_length=20, null=True)),
        add(models.BooleanField(db_default=False, default=False)),
        add(models.BigIntegerField(db_default=0)),
        add(models.CharField(max_length=20, db_default="plain")),
        add(models.DateTimeField(null=True)),
        alter("name", models.CharField(max_length=40)),
        alter("name", models.TextField()),
        alter("name", models.CharField(max_length=20, db_default="")),
        alter("name", models.CharField(max_length=20, null=True)),
        alter("price", models.DecimalField(max_digits=12, decimal_places=2)),
        [migrations.CreateModel("new", [("id", models.BigAutoField(primary_key=True)), ("name", NAME)])],
        [
            migrations.CreateModel("new", [("id", models.BigAutoField(primary_key=True)), ("name", NAME)]),
            migrations.AddIndex("new", models.Index(fields=["name"], name="new_by_name")),
        ],
        [AddConstraintNotValid("thing", CHECK)],
        [known(migrations.RemoveField("thing", "note"))],
        [known(migrations.DeleteModel("other"))],
    ],
)
def test_allowed(state: ProjectState, operations: Sequence[Any]) -> None:
    assert list(violations(migrated(*operations), state)) == []


def test_an_index_is_built_while_the_table_is_in_use(state: ProjectState) -> None:
    assert list(violations(migrated(AddIndexConcurrently("thing", INDEX), atomic=False), state)) == []
    assert list(violations(migrated(migrations.AddIndex("thing", INDEX)), state)) != []


def test_a_constraint_is_validated_after_it_was_added(state: ProjectState) -> None:
    adding = migrated(AddConstraintNotValid("thing", CHECK))
    assert list(violations(adding, state)) == []
    after = adding.mutate_state(state)
    assert list(violations(migrated(ValidateConstraint("thing", "price_is_not_negative")), after)) == []
    assert list(violations(migrated(migrations.AddConstraint("thing", CHECK)), state)) != []


def test_a_column_leaves_the_code_before_it_leaves_the_database(state: ProjectState) -> None:
    remove = migrations.RemoveField("thing", "note")
    assert list(violations(migrated(remove), state)) != []
    left = migrated(known(remove)).mutate_state(state)
    dropped = migrations.RunSQL('ALTER TABLE "shop_thing" DROP COLUMN "note"')
    assert list(violations(migrated(dropped), left)) == []
    assert list(violations(migrated(dropped), state)) != []


def nothing(apps: Any, schema_editor: Any) -> None:
    """Moves no data."""


@pytest.mark.parametrize(
    ("operations", "because"),
    [
        (add(models.CharField(max_length=20, default="x")), "DROP DEFAULT"),
        (add(models.PositiveIntegerField(null=True)), "CHECK"),
        (add(models.ForeignKey("shop.other", models.CASCADE, null=True)), "REFERENCES"),
        (add(models.CharField(max_length=20, null=True, unique=True)), "UNIQUE"),
        (alter("name", models.CharField(max_length=10)), "varchar"),
        (alter("name", models.CharField(max_length=20, db_column="title")), "RENAME COLUMN"),
        (alter("note", models.CharField(max_length=20, default="")), "SET NOT NULL"),
        (alter("price", models.DecimalField(max_digits=12, decimal_places=4)), "numeric"),
        (alter("name", models.UUIDField()), "uuid"),
        (alter("id", models.UUIDField(primary_key=True)), "depends on the database"),
        ([migrations.RenameField("thing", "name", "title")], "RENAME COLUMN"),
        ([migrations.RenameModel("thing", "article")], "RENAME TO"),
        ([migrations.DeleteModel("other")], "DROP TABLE"),
        ([known(migrations.RemoveField("thing", "name"))], "requires a value"),
        ([migrations.RunPython(nothing)], "atomic = False"),
        ([migrations.RunSQL("UPDATE shop_thing SET name = 'x'")], "UPDATE"),
        ([migrations.RunSQL("VACUUM FULL shop_thing")], "VACUUM"),
        ([*add(NAME.clone().__class__(max_length=9, null=True)),
          migrations.AddField("other", "added", models.TextField(null=True))], "deadlocks"),
    ],
)  # fmt: skip
def test_refused(state: ProjectState, operations: Sequence[Any], because: str) -> None:
    found = list(violations(migrated(*operations), state))
    assert any(because in each for each in found), found


def test_data_moves_in_a_migration_of_its_own(state: ProjectState) -> None:
    assert list(violations(migrated(migrations.RunPython(nothing), atomic=False), state)) == []
