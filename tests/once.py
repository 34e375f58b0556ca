"""The marks of tests that do the same whatever the suite runs on, so one run of them is enough."""

import pytest
from django.conf import settings

embedded_only = pytest.mark.skipif(
    not settings.EMBEDDED, reason="what it starts runs embedded, whatever the suite runs on: once is enough, and there"
)

one_database = pytest.mark.skipif(
    not settings.EMBEDDED, reason="it does the same on every database: once is enough, on SQLite"
)
