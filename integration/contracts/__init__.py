"""The published language: the events contexts tell each other, one module per publishing context.

Contracts are types of their own, even where a domain event looks the same today: a context may change how it works
without asking the others, but not what it tells them. They carry identifiers and facts, never private data; the one
exception is `fulfillment`'s need to know where to, which has a contract made for it.
"""

from integration.contracts import billing, fulfillment, inventory, ordering
from integration.contracts.contract import IntegrationEvent, contract, contracts

__all__ = ["IntegrationEvent", "billing", "contract", "contracts", "fulfillment", "inventory", "ordering"]
