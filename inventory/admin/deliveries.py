"""The page on which a delivery is received: a delivery note's number, and what came with it, one a line."""

import re
from typing import Any

from django import forms

from integration.admin.question import Question
from integration.domain.identifiers import Sku
from inventory import commands
from inventory.models import MAX_QUANTITY

LINE = re.compile(r"\s*(\S{1,40})(?:[\s×x*]+([1-9][0-9]{0,9}))?\s*")
"""A SKU, and how many units of it; one unit if there is no number, as a barcode scanner types it."""
MOST_LINES = 1_000


class GoodsField(forms.CharField):
    """What came, one a line: a SKU and a quantity. Its value is the units by SKU."""

    widget = forms.Textarea(attrs={"rows": 12, "cols": 40, "spellcheck": "false", "autocomplete": "off"})

    def clean(self, value: Any) -> Any:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(f"These are {len(lines)} lines. Give at most {MOST_LINES} at a time.")
        goods: dict[Sku, int] = {}
        for line in lines:
            known = LINE.fullmatch(line)
            if known is None:
                raise forms.ValidationError(f"“{line.strip()[:80]}” is not a SKU and a quantity.")
            sku, quantity = Sku(known[1]), int(known[2] or 1)
            goods[sku] = goods.get(sku, 0) + quantity
            if goods[sku] > MAX_QUANTITY:
                raise forms.ValidationError(f"{sku} comes {goods[sku]} times, which is too many.")
        return goods


class Delivery(Question):
    """The form that asks what came with which delivery note."""

    reference = forms.CharField(
        max_length=200,
        label="Delivery note",
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
        help_text="Its number. The same SKU is received once under a number.",
    )
    goods = GoodsField(
        label="What came",
        help_text="One a line: a SKU and how many units. A SKU alone is one unit, so you can scan each of them.",
    )


def receive(form: Delivery) -> str:
    """Receive all that came with a delivery note; returns the text to show."""
    reference, goods = form.cleaned_data["reference"], form.cleaned_data["goods"]
    items = commands.receive_delivery(reference, goods)
    units = sum(goods.values())
    return f"{reference}: {units} units of {len(items)} SKUs received"
