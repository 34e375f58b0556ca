"""How the code is mutated: by operators of Cosmic Ray, and by three of our own that reach what those do not.

An operator finds its positions in the tree of a module, so mutants in decorated functions, properties and module
level tables are found like any others.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Name

Position = tuple[tuple[int, int], tuple[int, int]]

OF_COSMIC_RAY = (
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBreakWithContinue",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_IsNot_Is",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ZeroIterationForLoop",
)
"""One operator for each way to be wrong. The others of Cosmic Ray replace each sign by every other one."""


class OwnOperator(Operator):
    """An operator that replaces a whole node; a subclass says which nodes, and what they become."""

    def replacements(self, node: Any) -> Sequence[str]:
        """The code of each mutant of a node, without the whitespace in front of it."""
        raise NotImplementedError

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Yield the position of the node once for each of its mutants."""
        for _ in self.replacements(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the node that takes the place of this one."""
        (code,) = islice(self.replacements(node), index, index + 1)
        return parso.parse(node.get_first_leaf().prefix + code)


class RemoveStatement(OwnOperator):
    """Replaces a call or a `raise` that is a statement of its own by `pass`; lines of the log stay."""

    def replacements(self, node: Any) -> Sequence[str]:
        is_call = node.type in ("atom_expr", "power") and node.children[-1].type == "trailer"
        is_call = is_call and node.get_first_leaf().value != "log"
        is_statement = node.parent is not None and node.parent.type == "simple_stmt" and node.parent.children[0] is node
        return ["pass"] if is_statement and (is_call or node.type == "raise_stmt") else []

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("check(x)\n", "pass\n"), Example("raise Refused\n", "pass\n"))


class ReturnNone(OwnOperator):
    """Replaces a returned value by None."""

    def replacements(self, node: Any) -> Sequence[str]:
        returns = node.type == "return_stmt" and len(node.children) > 1
        return ["return None"] if returns and node.children[1].get_code().strip() != "None" else []

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("def f():\n    return 1\n", "def f():\n    return None\n"),)


class ReplaceResponse(OwnOperator):
    """Replaces a cell of a state table by another response."""

    RESPONSES = ("STAY", "IGNORE", "REFUSE", "NOT_YET")

    def replacements(self, node: Any) -> Sequence[str]:
        is_cell = isinstance(node, Name) and node.parent.type in ("arglist", "trailer", "dictorsetmaker")
        if not is_cell or node.value not in self.RESPONSES:
            return []
        # `STAY` needs no import in the mutant, because the members of `Response` are reached through this one.
        return [f"type({node.value}).{other}" for other in self.RESPONSES if other != node.value]

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("row(1, STAY)", "row(1, type(STAY).IGNORE)"),)


OPERATORS: dict[str, Operator] = {name: OperatorProvider()[name]() for name in OF_COSMIC_RAY} | {
    operator.__name__: operator() for operator in (RemoveStatement, ReturnNone, ReplaceResponse)
}
"""All operators by name."""
