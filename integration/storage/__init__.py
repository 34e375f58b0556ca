"""How rows get in and out: bulk writes and reads, column types, indexes, and the two database backends."""
