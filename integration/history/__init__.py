"""The log of domain events, which is never changed. Personal data is stored separately, so that it can be erased."""
