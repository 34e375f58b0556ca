"""What the contexts' APIs have in common: one way to err, to repeat, to page, to be stale, and to belong to a story."""
