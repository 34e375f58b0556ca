"""What operators may do with stock, by role."""

from integration.roles import AGENT, BILLING, ENGINEER, WAREHOUSE, allows, sees

sees(WAREHOUSE, "inventory")
sees(AGENT, "inventory")
sees(BILLING, "inventory")
allows(WAREHOUSE, "inventory.change_stockitem")
allows(ENGINEER, "inventory.view_history")
