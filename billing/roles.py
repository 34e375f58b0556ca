"""What operators may do with invoices, payments and refunds, by role."""

from integration.roles import AGENT, BILLING, ENGINEER, allows, sees

sees(AGENT, "billing")
sees(BILLING, "billing")
allows(AGENT, "billing.change_invoice")
allows(
    BILLING,
    "billing.change_invoice",
    "billing.change_payment",
    "billing.change_refund",
    "billing.change_dispute",
    "billing.change_discrepancy",
    "billing.change_refundproposal",
)
allows(ENGINEER, "billing.view_history")
