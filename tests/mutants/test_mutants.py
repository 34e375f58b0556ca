"""Mutants are drawn from a seed, reach every kind of code, and are caught by the tests of their module."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cosmic_ray.mutating import mutate_code

from tests.mutants.__main__ import report_of
from tests.mutants.explained import EXPLAINED
from tests.mutants.in_place import ImportsInstead, functions_below, probe_with, put_in_place, with_probes
from tests.mutants.operators import OPERATORS, OwnOperator
from tests.mutants.results import Verdict
from tests.mutants.sample import ROOT, Mutant, draw, modules, mutants_of
from tests.once import embedded_only
from tests.quick import ALWAYS, select_tests

pytestmark = embedded_only

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


CODE = """
def made(function):
    def wrapper(*args):
        return function(*args) + outer(1)
    return wrapper

def outer(number):
    def inner():
        return number
    return inner() if number else -1

class Shop:
    rate = outer(2)

    @property
    @made
    def price(self):
        return self.rate * 2

    @staticmethod
    def total(prices):
        total = 0
        for each in prices:
            if each > 1:
                total += each
            elif each < 0:
                raise ValueError(each)
        return total
"""


@pytest.fixture
def shop_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of `CODE`, imported."""
    (tmp_path / "shop_to_mutate.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shop_to_mutate", raising=False)
    return importlib.import_module("shop_to_mutate")


@pytest.mark.parametrize(
    ("was", "becomes", "price", "total"),
    [
        ("return self.rate * 2", "return self.rate * 3", 7, 5),  # a property that is decorated
        ("+ outer(1)", "- outer(1)", 3, 5),  # what a decorator made at import
        ("return number", "return number + 1", 6, 5),  # a function in a function
        ("each > 1", "each > 2", 5, 3),
        ("        total = 0\n", "        total = (\n            1\n        )\n", 5, 6),  # moves the lines below
    ],
)
def test_functions_get_other_code_wherever_they_are(
    shop_module: ModuleType, tmp_path: Path, was: str, becomes: str, price: int, total: int
) -> None:
    shop = shop_module.Shop()
    assert (shop.price, shop.total([2, 3])) == (5, 5)
    put_in_place(functions_below(tmp_path), Path(str(shop_module.__file__)), CODE.replace(was, becomes))
    assert (shop.price, shop.total([2, 3])) == (price, total)


def test_a_probe_is_called_when_its_line_is_reached(shop_module: ModuleType, tmp_path: Path) -> None:
    lines = {text.strip(): number for number, text in enumerate(CODE.splitlines(), 1)}
    tree, probed = with_probes(CODE, "shop", lines.values())
    put_in_place(functions_below(tmp_path), Path(str(shop_module.__file__)), tree)
    reached = set()
    probe_with(lambda path, line: reached.add(line))
    assert shop_module.Shop.total([2]) == 2
    assert {"total = 0", "if each > 1:", "total += each", "return total"} <= {
        text for text in lines if lines[text] in reached
    }
    assert lines["raise ValueError(each)"] in probed - reached
    assert lines["rate = outer(2)"] not in probed
    assert lines["@made"] not in probed


def test_a_mutant_can_be_imported_instead_of_its_file(shop_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = ImportsInstead(Path(str(shop_module.__file__)), CODE.replace("outer(2)", "outer(7)"))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "shop_to_mutate")
    again = importlib.import_module("shop_to_mutate")
    assert (shop_module.Shop.rate, again.Shop.rate, again.__file__) == (2, 7, shop_module.__file__)


def test_every_module_that_is_mutated_has_tests() -> None:
    without = [
        path for path in modules("integration") + modules("billing") if not set(select_tests([path], ROOT)) - {*ALWAYS}
    ]
    assert [path for path in without if Path(path).name not in ("__init__.py", "apps.py")] == []


TRY = """
import sys
from pathlib import Path
from tests.mutants.sample import Mutant, mutants_of
from tests.mutants.trial import Trials

path, operator, tests, results, without_effect = sys.argv[1:]
if without_effect:
    Mutant.of = lambda self, code: code
mutant = next(each for each in mutants_of(path) if each.operator == operator)
trials = Trials([mutant], Path(results), 1, [tests])
verdict = trials.try_all()[mutant]
assert not Trials([mutant], Path(results), 1).left
assert Trials([mutant], Path(results), 1, again=True).left == ([] if verdict.caught else [mutant])
print(verdict.caught, verdict.afresh, verdict.reached > 0, verdict.by in trials.runs())
"""


@pytest.mark.parametrize(
    ("path", "operator", "tests", "without_effect", "verdict"),
    [
        ("integration/domain/versions.py", "RemoveStatement", "tests/integration/domain", "", "True False True True"),
        (
            "ordering/models/order_states.py",
            "ReplaceResponse",
            "tests/ordering/test_order.py",
            "",
            "True True True True",
        ),
        (
            "integration/domain/versions.py",
            "RemoveStatement",
            "tests/integration/domain",
            "yes",
            "False True True False",
        ),
    ],
    ids=["a fault in a function", "a fault in a table", "a change without effect"],
)
def test_faults_are_caught_and_changes_without_effect_survive(
    tmp_path: Path, path: str, operator: str, tests: str, without_effect: str, verdict: str
) -> None:
    command = [sys.executable, "-c", TRY, path, operator, tests, str(tmp_path / "results"), without_effect]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == verdict, done.stderr


def test_too_many_survivors_without_a_reason_are_a_violation() -> None:
    mutants = [Mutant("integration/domain/money.py", line, "AddNot", 0) for line in range(1, 21)]
    verdicts = {mutant: Verdict(True, "a test", 1.0, False, 1) for mutant in mutants}
    assert report_of(verdicts | {mutants[0]: Verdict(False, "", 1.0, True, 1)})["violations"] == []
    assert len(report_of(verdicts | dict.fromkeys(mutants[:2], Verdict(False, "", 1.0, True, 1)))["violations"]) == 2


def test_every_explanation_is_of_a_line_that_exists() -> None:
    for (path, line), reason in EXPLAINED.items():
        assert line in {each.strip() for each in (ROOT / path).read_text(encoding="utf-8").splitlines()}, (path, line)
        assert reason.endswith(".")
