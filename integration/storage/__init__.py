"""How rows are written and read: bulk statements, column types, indexes, and the two database backends."""
