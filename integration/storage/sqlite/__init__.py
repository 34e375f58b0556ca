"""Django's SQLite backend, which converts the placeholders of each statement only once."""
