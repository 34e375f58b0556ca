"""A wire name stands for one thing and for good."""

import pytest

from integration.domain.naming import UnknownName, WireNames


@pytest.fixture
def words() -> WireNames[list[str]]:
    return WireNames("word")


def test_a_name_gives_back_what_it_was_given_to(words: WireNames[list[str]]) -> None:
    entry = ["one"]
    words.add("first", entry)

    assert words.get("first") is entry
    assert "first" in words


def test_a_name_is_not_given_twice(words: WireNames[list[str]]) -> None:
    words.add("first", ["one"])

    with pytest.raises(ValueError, match="two words are named 'first'"):
        words.add("first", ["one"])


def test_naming_the_same_thing_again_is_no_harm(words: WireNames[list[str]]) -> None:
    entry = ["one"]
    words.add("first", entry)
    words.add("first", entry)

    assert words.items() == [("first", entry)]


def test_a_name_nobody_gave_is_unknown(words: WireNames[list[str]]) -> None:
    assert "first" not in words
    with pytest.raises(UnknownName, match="no word is named 'first'"):
        words.get("first")


def test_entries_are_listed_by_name(words: WireNames[list[str]]) -> None:
    for name in ["c", "a", "b"]:
        words.add(name, [name])

    assert [name for name, _ in words.items()] == ["a", "b", "c"]
