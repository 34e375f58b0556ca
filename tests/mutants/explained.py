"""Mutants that no test can catch, or need not, each with the reason. They are known by their file and the line's text,
so that an entry goes on counting when lines move, and ends when the line changes."""

EXPLAINED: dict[tuple[str, str], str] = {}
"""By file and line (stripped): why a mutant of this line may survive."""
