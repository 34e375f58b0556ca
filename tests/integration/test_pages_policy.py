"""What pages may load: admin pages have neither scripts nor styles within them; pages to print have their styles."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from integration.rest.middleware import POLICY, PRINTED

ADMIN_TEMPLATES = sorted(Path(settings.BASE_DIR, "config", "templates", "admin").rglob("*.html"))
SOURCES = sorted(
    path for top in ("integration", *settings.CONTEXTS) for path in Path(settings.BASE_DIR, top).rglob("admin*/*.py")
)
WITHIN = re.compile(r"""<style|\bstyle=["']|<script(?![^>]*\bsrc=)|\bon[a-z]+=["']|javascript:""")


def _policy(value: str) -> dict[str, str]:
    return {name: sources for name, _, sources in (part.strip().partition(" ") for part in value.split(";"))}


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/healthz", "/api/v1/products", "/nothing"])
@pytest.mark.django_db
def test_responses_allow_no_style_and_no_script_within_the_page(client: Client, path: str) -> None:
    policy = _policy(client.get(path).headers[POLICY])

    assert policy["default-src"] == "'none'"
    assert (policy["script-src"], policy["style-src"]) == ("'self'", "'self'")
    assert not any("unsafe" in sources or "*" in sources for sources in policy.values())


def test_pages_to_print_have_their_styles_within_them() -> None:
    policy = _policy(PRINTED[POLICY])

    assert (policy["script-src"], policy["style-src"]) == ("'self'", "'self' 'unsafe-inline'")


@pytest.mark.parametrize(
    "path", [*ADMIN_TEMPLATES, *SOURCES], ids=lambda path: str(path.relative_to(settings.BASE_DIR))
)
def test_no_page_of_the_admin_has_a_style_or_script_within_it(path: Path) -> None:
    assert WITHIN.findall(path.read_text(encoding="utf-8")) == []


def test_the_search_for_styles_and_scripts_finds_them() -> None:
    found = [
        text
        for text in ('<p style="x">', "<style>", "<script>x</script>", '<a onclick="x">', '<a href="javascript:x">')
        if WITHIN.search(text)
    ]
    assert len(found) == 5
    assert not WITHIN.search('<script src="/static/x.js" defer></script>')
