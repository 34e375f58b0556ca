"""What operators may do with products, buyers, carts, orders and vouchers, by role.

No role erases buyers, lists products or changes prices: that takes the group `ordering`.
"""

from integration.roles import AGENT, BILLING, ENGINEER, WAREHOUSE, allows, sees

sees(AGENT, "ordering")
sees(BILLING, "ordering")
allows(AGENT, "ordering.change_order", "ordering.change_cart", "ordering.add_voucher", "ordering.change_voucher")
allows(
    BILLING,
    "ordering.add_taxrate",
    "ordering.add_shippingrate",
    "ordering.change_shippingrate",
    "ordering.delete_shippingrate",
)
# Goods and orders, without the pages of buyers.
allows(WAREHOUSE, "ordering.view_product", "ordering.view_order", "ordering.view_orderboard")
allows(ENGINEER, "ordering.view_history")
