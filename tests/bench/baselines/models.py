"""The models of a shop in plain Django: rows hold the current state, and there is no history."""

from typing import ClassVar

from django.db import models


class Product(models.Model):
    """A product and its stock."""

    sku = models.CharField(max_length=40, primary_key=True)
    name = models.CharField(max_length=200)
    price_minor = models.BigIntegerField()
    on_hand = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.sku


class Order(models.Model):
    """An order; its primary key is its number."""

    buyer = models.CharField(max_length=40, db_index=True)
    status = models.CharField(max_length=20, default="pending")
    total_minor = models.BigIntegerField()
    payment_method = models.CharField(max_length=80)
    shipping_address = models.JSONField()
    placed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"order {self.pk}"


class OrderLine(models.Model):
    """One line of an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=40)
    quantity = models.PositiveIntegerField()
    unit_price_minor = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"


class Payment(models.Model):
    """A payment for an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="payments")
    amount_minor = models.BigIntegerField()
    reference = models.CharField(max_length=80)
    paid_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.reference
