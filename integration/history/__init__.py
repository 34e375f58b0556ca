"""The log of facts: every domain event is kept for good. Personal values are kept apart, so that they can be erased."""
