"""What finds buyers and orders by names and e-mail addresses. Only the projections in `queries/search.py` write it."""

from typing import ClassVar

from django.db import models

from integration.read_models.texts import SearchText


class BuyerText(SearchText):
    """The name and the e-mail address of a buyer."""

    read_model = "ordering.buyer-search"
    key = ("buyer",)

    buyer = models.CharField(max_length=40)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "buyer"], name="one_text_a_buyer")]

    def __str__(self) -> str:
        return f"words of buyer {self.buyer}"


class OrderText(SearchText):
    """The recipient of an order."""

    read_model = "ordering.order-search"
    key = ("number",)

    number = models.CharField(max_length=20)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "number"], name="one_text_an_order")]

    def __str__(self) -> str:
        return f"words of order {self.number}"
