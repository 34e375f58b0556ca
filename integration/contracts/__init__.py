"""Contracts: the integration events that contexts publish for each other, one module per publishing context.

A contract is a type of its own, even where a domain event has the same fields today. So a context can change its domain
events freely, while its contracts stay compatible. Contracts carry identifiers and facts, and no personal data. The
exceptions are marked as personal: `fulfillment` needs an address, which one contract carries for it, and `billing`
needs the payment method of an order.
"""

from integration.contracts import billing, fulfillment, inventory, ordering
from integration.contracts.contract import IntegrationEvent, contract, contracts

__all__ = ["IntegrationEvent", "billing", "contract", "contracts", "fulfillment", "inventory", "ordering"]
