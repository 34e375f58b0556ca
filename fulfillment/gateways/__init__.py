"""What fulfillment asks others: ordering about an order."""
