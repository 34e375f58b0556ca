"""PostgreSQL as Django knows it, but for how a connection is known to be alive."""
