"""The operators' first page: what there is to do, each number a link to its list, and panels such as charts.

Each context registers its work and its panels in its admin, with `@work` and `@panel`. So a new kind of work is a new
function, and this package knows no context.
"""

from integration.admin.home.panels import panel
from integration.admin.home.work import work

__all__ = ["panel", "work"]
