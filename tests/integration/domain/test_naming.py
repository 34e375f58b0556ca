"""A wire name identifies one entry, permanently."""

import pytest

from integration.domain.naming import UnknownName, WireNames


@pytest.fixture
def words() -> WireNames[list[str]]:
    return WireNames("word")


def test_get_returns_the_entry_with_the_name(words: WireNames[list[str]]) -> None:
    entry = ["one"]
    words.add("first", entry)

    assert words.get("first") is entry
    assert "first" in words


def test_a_second_entry_with_the_same_name_is_refused(words: WireNames[list[str]]) -> None:
    words.add("first", ["one"])

    with pytest.raises(ValueError, match="two words are named 'first'"):
        words.add("first", ["one"])


def test_the_same_entry_can_be_registered_again(words: WireNames[list[str]]) -> None:
    entry = ["one"]
    words.add("first", entry)
    words.add("first", entry)

    assert words.items() == [("first", entry)]


def test_an_unregistered_name_is_unknown(words: WireNames[list[str]]) -> None:
    assert "first" not in words
    with pytest.raises(UnknownName, match="no word is named 'first'"):
        words.get("first")


def test_entries_are_sorted_by_name(words: WireNames[list[str]]) -> None:
    for name in ["c", "a", "b"]:
        words.add(name, [name])

    assert [name for name, _ in words.items()] == ["a", "b", "c"]
