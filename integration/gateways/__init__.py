"""What the contexts' gateways to external systems have in common: limits of time and size, and HTTP requests."""
