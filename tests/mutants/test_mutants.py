"""Mutants are drawn from a seed, reach every kind of code, and are caught by the tests of their module."""

from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code

from tests.mutants.__main__ import report_of, try_all
from tests.mutants.explained import EXPLAINED
from tests.mutants.operators import OPERATORS, OwnOperator
from tests.mutants.sample import ROOT, Mutant, draw, modules, mutants_of
from tests.mutants.trial import Verdict, groups_of_tests

OWN = [operator for operator in OPERATORS.values() if isinstance(operator, OwnOperator)]


@pytest.mark.parametrize("operator", OWN, ids=lambda operator: type(operator).__name__)
def test_an_operator_does_what_its_examples_say(operator: OwnOperator) -> None:
    for example in operator.examples():
        assert mutate_code(example.pre_mutation_code, operator, example.occurrence) == example.post_mutation_code


def test_the_same_seed_draws_the_same_mutants_of_every_package() -> None:
    drawn = draw(60, 7)
    assert drawn == draw(60, 7) != draw(60, 8)
    assert len({(mutant.path, mutant.line) for mutant in drawn}) == 60
    assert {mutant.path.partition("/")[0] for mutant in drawn} >= {"integration", "ordering", "inventory", "billing"}


@pytest.mark.parametrize(
    ("path", "operator", "code"),
    [
        ("ordering/models/order_states.py", "ReplaceResponse", "IGNORE"),  # a state table
        ("integration/domain/states.py", "RemoveStatement", "raise ValueError"),
        ("integration/rest/consumers.py", "RemoveDecorator", "@"),
        ("ordering/models/order.py", "ReturnNone", "return "),
    ],
)
def test_every_kind_of_code_has_mutants(path: str, operator: str, code: str) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    assert [each for each in mutants_of(path) if each.operator == operator and code in lines[each.line - 1]]


def test_every_module_that_is_mutated_has_tests() -> None:
    without = [path for path in modules("integration") + modules("billing") if not list(groups_of_tests(path))]
    assert [path for path in without if Path(path).name not in ("__init__.py", "apps.py")] == []


def test_a_fault_is_caught_and_a_change_without_effect_survives(tmp_path: Path) -> None:
    path = "integration/domain/versions.py"
    fault = next(each for each in mutants_of(path) if each.operator == "RemoveStatement")
    results = tmp_path / "results"
    verdicts = try_all([fault], 1, results)
    assert verdicts[fault].caught, "removing a check survives"
    assert try_all([fault], 1, tmp_path / "results") == verdicts  # read from the file, not tried again


def test_too_many_survivors_without_a_reason_are_a_violation() -> None:
    mutants = [Mutant("integration/domain/money.py", line, "AddNot", 0) for line in range(1, 21)]
    verdicts = {mutant: Verdict(True, "a test", 1.0) for mutant in mutants}
    assert report_of(verdicts | {mutants[0]: Verdict(False, "", 1.0)})["violations"] == []
    assert len(report_of(verdicts | dict.fromkeys(mutants[:2], Verdict(False, "", 1.0)))["violations"]) == 2


def test_every_explanation_is_of_a_line_that_exists() -> None:
    for (path, line), reason in EXPLAINED.items():
        assert line in {each.strip() for each in (ROOT / path).read_text(encoding="utf-8").splitlines()}, (path, line)
        assert reason.endswith(".")
