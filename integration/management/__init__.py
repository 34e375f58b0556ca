"""The commands that are about the way between contexts alone."""
