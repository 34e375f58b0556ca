"""The second step: discounts. Every module of this folder is a rule, found by being there.

A rule is a function that returns `Applied` or `NotApplied`. Rules run by their `position`, those with the same one by
the names of their modules. Each sees the order with all earlier discounts, so a percentage is of what is left.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from integration.domain.money import Money
from ordering.pricing.asked import Asked, Shop
from ordering.pricing.priced import Discount, NotApplied, PricedOrder


class Applied(Struct, frozen=True, kw_only=True):
    """A discount that a rule gives.

    Args:
        code: a stable identifier, which the order shows.
        name: what buyers read.
        amount: how much. Not more than the lines cost is taken off, and it is shared out in proportion to what they
            cost.
        skus: the lines it is for; empty for all.
        exclusive: whether it allows no other discount.
        frees_shipping: whether it takes off the price of shipping.
    """

    code: str
    name: str
    amount: Money
    skus: frozenset[str] = frozenset()
    exclusive: bool = False
    frees_shipping: bool = False


class _Rule(Struct, frozen=True):
    position: int
    module: str
    run: Callable[..., Applied | NotApplied]
    each: Callable[[Asked], Iterable[Any]] | None


_rules: list[_Rule] = []


def discount_rule(
    *, position: int, each: Callable[[Asked], Iterable[Any]] | None = None
) -> Callable[[Callable[..., Applied | NotApplied]], Callable[..., Applied | NotApplied]]:
    """Register the decorated function as a rule.

    Args:
        position: when the rule runs, compared with the positions of the others.
        each: what the rule runs for, one after the other, such as each voucher. The rule gets that as its third
            argument. Without `each` the rule runs once.
    """

    def register(rule: Callable[..., Applied | NotApplied]) -> Callable[..., Applied | NotApplied]:
        _rules.append(_Rule(position, rule.__module__, rule, each))
        _rules.sort(key=lambda known: (known.position, known.module))
        return rule

    return register


def apply_discounts(order: PricedOrder, asked: Asked, shop: Shop) -> PricedOrder:
    """Run all rules and share out each discount over the lines that it is for."""
    for rule in _rules:
        for arguments in _arguments(rule, asked):
            order = _with(order, rule.run(order, asked, *arguments))
    return order


def _arguments(rule: _Rule, asked: Asked) -> Iterator[tuple[Any, ...]]:
    if rule.each is None:
        yield ()
    else:
        for subject in rule.each(asked):
            yield (subject,)


def _with(order: PricedOrder, result: Applied | NotApplied) -> PricedOrder:
    outcome = (_alone(order, result) or _share_out(order, result)) if isinstance(result, Applied) else result
    if isinstance(outcome, NotApplied):
        return replace(order, not_applied=(*order.not_applied, outcome))
    return outcome


def _alone(order: PricedOrder, discount: Applied) -> NotApplied | None:
    """Why the discount cannot be combined with those before it, if it cannot."""
    for other in order.discounts:
        if discount.exclusive or other.exclusive:
            return NotApplied(discount.code, discount.name, f"it cannot be combined with {other.code}")
    return None


def _share_out(order: PricedOrder, discount: Applied) -> PricedOrder | NotApplied:
    zero = Money.zero(order.currency)
    concerned = [i for i, line in enumerate(order.lines) if not discount.skus or line.sku in discount.skus]
    left = Money.sum((order.lines[i].reduced for i in concerned), order.currency)
    amount = max(zero, min(discount.amount, left))
    if not amount and not discount.frees_shipping:
        return NotApplied(discount.code, discount.name, "there is nothing left that it could reduce")
    lines = list(order.lines)
    if amount:
        for i, part in zip(concerned, amount.allocate([lines[i].reduced.minor for i in concerned]), strict=True):
            lines[i] = lines[i].less(part)
    applied = Discount(discount.code, discount.name, amount, discount.exclusive, discount.frees_shipping)
    return replace(order, lines=tuple(lines), discounts=(*order.discounts, applied))


for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
