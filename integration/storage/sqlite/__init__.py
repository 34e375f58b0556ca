"""SQLite as Django knows it, but for how often it reads a statement."""
