"""What operators may do with shipments and returns, by role."""

from integration.roles import AGENT, BILLING, ENGINEER, WAREHOUSE, allows, sees

sees(AGENT, "fulfillment")
sees(WAREHOUSE, "fulfillment")
sees(BILLING, "fulfillment")
# A return is approved by agents and received by the warehouse.
allows(AGENT, "fulfillment.change_return")
allows(WAREHOUSE, "fulfillment.change_return", "fulfillment.change_shipment")
allows(ENGINEER, "fulfillment.view_history")
