"""What fulfillment asks others: ordering about an order, and carriers about parcels."""
