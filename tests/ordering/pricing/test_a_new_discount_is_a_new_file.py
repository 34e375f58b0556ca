"""A discount is one new file: the example of `docs/extending.md` runs as it stands there, and no other file changes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

PRICE_TWO_LINES = """
from datetime import UTC, datetime

from integration.domain.money import Money
from ordering.pricing import BuyerTerms, Item, Shop, price

lines = [Item("CUP", "Cup", 4, Money("2.00", "EUR")), Item("PLATE", "Plate", 5, Money("1.99", "EUR"))]
order = price(lines, BuyerTerms(10), None, None, [], datetime(2026, 3, 1, tzinfo=UTC), Shop(currency="EUR"))
print([(discount.code, str(discount.amount)) for discount in order.discounts])
print([str(line.discount) for line in order.lines])
"""


def test_the_discount_of_the_docs_is_one_new_file(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    [rule] = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "@discount_rule" in code]
    for package in ("integration", "ordering"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "ordering" / "pricing" / "discounts" / "bulk.py").write_text(rule, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-c", PRICE_TWO_LINES], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )

    assert done.returncode == 0, done.stderr
    discounts, lines = done.stdout.splitlines()
    assert discounts == "[('lifetime_spend', '1.80 EUR'), ('bulk', '0.45 EUR')]"
    assert lines == "['0.80 EUR', '1.45 EUR']"
