"""The runner of outages: which rows it finds and draws, what it requires of responses, and how it resumes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from tests.chaos.outages import runner
from tests.chaos.outages.runner import SHORT, WHOLE, Place, Runner, Scale, all_places, draw
from tests.chaos.outages.table import Row, RowAlone, Site, Table
from tests.chaos.outcome import Outcome


def a_row(**how: Any) -> Row:
    def ill(shop: object) -> Iterator[None]:
        yield

    return Row(ill, ["redis"], **how)


def test_every_row_has_a_key_of_its_own_and_says_in_which_way_the_peer_is_ill() -> None:
    places = all_places()

    assert {"Redis: slow, redis", "RabbitMQ: slow, rabbitmq"} <= {place.key for place in places}
    assert [key for key, n in Counter(place.key for place in places).items() if n > 1] == []
    assert [place.key for place in places if not place.row.what] == []


def test_the_short_form_draws_one_row_of_each_peer_and_the_same_for_the_same_seed() -> None:
    places = all_places()

    drawn = draw(places, 1)

    assert drawn == draw(places, 1)
    assert [place.key for place in drawn if not place.row.short] == []
    peers = Counter(place.table.peer for place in drawn)
    assert peers == Counter({place.table.peer for place in places if place.row.short})
    assert len({tuple(place.key for place in draw(places, seed)) for seed in range(20)}) > 1


@pytest.mark.parametrize(
    ("responses", "may_refuse", "wrong"),
    [
        ({201: 9}, False, 0),
        ({201: 9, 409: 1}, False, 0),
        ({201: 9, 503: 1}, False, 1),
        ({201: 9, 503: 1, 0: 2}, True, 0),
        ({201: 9, 500: 1}, True, 1),
        ({201: 9, 0: 1}, False, 1),
    ],
)
def test_a_request_may_be_refused_only_where_the_row_allows_it(
    responses: dict[int, int], may_refuse: bool, wrong: int
) -> None:
    outcome = Outcome()

    runner._judge_responses(outcome, a_row(may_refuse=may_refuse), Counter(responses))

    assert len(outcome.wrong) == wrong
    refused = sum(n for status, n in responses.items() if status not in (201, 409))
    assert outcome.n.get("requests repeated", 0) == refused


# --- Rows that run alone: without servers ---


class Rows:
    """Two rows, of which the first fails, and how often each was run."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.table = Table("disk")
        self.healed = 3.0
        self.table.alone("nothing is lost")(self.breaks)
        self.table.alone("nothing is lost")(self.holds)

    def breaks(self, site: Site) -> Outcome:
        """Breaks."""
        self.runs["breaks"] += 1
        raise ConnectionError("the disk is gone")

    def holds(self, site: Site) -> Outcome:
        """Holds."""
        self.runs["holds"] += 1
        assert list(site.folder.iterdir()) == []
        return Outcome({"starts": 7}, healed=self.healed)

    def run(self, folder: Path, scale: Scale = WHOLE) -> dict[str, Any]:
        folder.mkdir()
        places = [Place(self.table, cast(RowAlone, row), "redis") for row in self.table.alone_rows]
        with ExitStack() as ends:
            return Runner(folder, *cast(Any, (None, None)), ends, scale, folder.parent / "results").run(places)


def test_a_row_that_breaks_is_a_violation_and_the_next_row_runs(tmp_path: Path) -> None:
    rows = Rows()

    report = rows.run(tmp_path / "first")

    assert report["disk: breaks, redis"]["violations"] == [
        "could not be finished: ConnectionError('the disk is gone')",
    ]
    assert report["disk: holds, redis"] | {"seconds": 0} == {
        "peer": "disk",
        "what": "Holds",
        "broker": "",
        "healed": 3.0,
        "n": {"starts": 7},
        "violations": [],
        "seconds": 0,
    }


def test_rows_that_have_a_result_are_not_run_again(tmp_path: Path) -> None:
    rows = Rows()

    first, second = rows.run(tmp_path / "first"), rows.run(tmp_path / "second")

    assert second == first
    assert rows.runs == {"breaks": 1, "holds": 1}


@pytest.mark.parametrize(("scale", "violations"), [(WHOLE, ["healed after 15.1 s"]), (SHORT, [])])
def test_a_row_must_heal_in_time_except_in_the_short_form(tmp_path: Path, scale: Scale, violations: list[str]) -> None:
    rows = Rows()
    rows.healed = 15.1

    report = rows.run(tmp_path / "first", scale)

    assert report["disk: holds, redis"]["violations"] == violations
