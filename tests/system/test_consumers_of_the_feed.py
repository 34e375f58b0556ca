"""Other programs read the feed over HTTP, with the consumers of docs/api.md; readers that wait hold no thread."""

import json
import re
import shutil
import socket
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from running_system import ROOT, Client, Program, System, eventually

pytestmark = pytest.mark.system

CLIENTS, EACH = 8, 2


@pytest.fixture
def operator(system: System) -> Client:
    return system.visitor.log_in("operator", "operator")


@pytest.fixture(params=["python", "javascript"])
def start_consumer(
    request: pytest.FixtureRequest, system: System, operator: Client, tmp_path: Path
) -> Iterator[Callable[[], Program]]:
    """Starts a consumer of docs/api.md in a folder of its own."""
    blocks = re.findall(rf"```{request.param}\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.DOTALL)
    (code,) = [block for block in blocks if "/feed?wait=" in block]
    if request.param == "python":
        command = [sys.executable, "-c", code]
    elif node := shutil.which("node"):
        (tmp_path / "consumer.js").write_text(code)
        command = [node, "consumer.js"]
    else:
        warnings.warn("node is not installed: the consumer in JavaScript was NOT run", stacklevel=1)
        pytest.skip("node is not installed: the consumer in JavaScript was not run")
    token = operator.headers["Authorization"].removeprefix("Bearer ")
    command += [f"http://127.0.0.1:{system.port}/api/v1", token]
    with ExitStack() as ends:

        def start() -> Program:
            program = Program(command, tmp_path, {"PATH": "/usr/bin:/bin"}, tmp_path / "consumer.log")
            ends.callback(program.kill)
            return program

        yield start


def ids_in(folder: Path) -> list[str]:
    """The ids of the events that a consumer has stored."""
    if (log := folder / "events.jsonl").exists():
        return [json.loads(line)["id"] for line in log.read_text().splitlines() if line.endswith("}")]
    if not (folder / "events.sqlite3").exists():
        return []
    with closing(sqlite3.connect(folder / "events.sqlite3", timeout=10)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchone():
            return []
        return [id for (id,) in database.execute("SELECT id FROM event")]


def test_a_consumer_that_is_killed_and_goes_on_has_every_event_once(
    system: System, start_consumer: Callable[[], Program], tmp_path: Path
) -> None:
    buyer = system.visitor.log_in("buyer", "buyer")
    threads = [
        threading.Thread(target=lambda: [buyer.place({"SPORK-TITANIUM": 1}) for _ in range(EACH)])
        for _ in range(CLIENTS)
    ]
    consumer = start_consumer()
    for thread in threads:
        thread.start()
    eventually(lambda: ids_in(tmp_path), bool, "events in the consumer")
    consumer.kill()
    start_consumer()
    for thread in threads:
        thread.join()
    everything = "SELECT id FROM integration_message UNION ALL SELECT id FROM integration_archivedmessage"

    def missing() -> int:
        return len({str(id).replace("-", "") for (id,) in system.read(everything)}) - len(ids_in(tmp_path))

    eventually(missing, lambda count: count == 0 and system.count_pending() == 0, "all events in the consumer")
    had = [id.replace("-", "") for id in ids_in(tmp_path)]
    assert sorted(had) == sorted(str(id).replace("-", "") for (id,) in system.read(everything))


def test_readers_that_wait_hold_no_thread(system: System, operator: Client) -> None:
    """Five times as many readers as there are threads wait; orders are placed meanwhile, and a reader that leaves goes
    unnoticed."""
    buyer = system.visitor.log_in("buyer", "buyer")
    after = _end_of_feed(operator)
    with ExitStack() as ends:
        waiting = [ends.enter_context(_reader(operator, after, "fulfillment.return-refused")) for _ in range(40)]
        wanted = ends.enter_context(_reader(operator, after, "ordering.order-placed"))
        waiting.pop().close()
        time.sleep(0.2)
        began = time.monotonic()
        number = buyer.place({"SPORK-TITANIUM": 1})
        assert time.monotonic() - began < 5
        wanted.settimeout(10)
        response = b""
        while number.encode() not in response:  # the head and the body may come one after the other
            part = wanted.recv(65_536)
            assert part, response
            response += part
        assert response.startswith(b"HTTP/1.1 200")
        for each in waiting:
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.recv(1)


def _end_of_feed(operator: Client) -> str:
    cursor = "0"
    while True:
        page = operator.get("/feed", after=cursor).body
        if not page["events"]:
            return page["cursor"]
        cursor = page["cursor"]


def _reader(operator: Client, after: str, types: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", operator.port))
    authorization = operator.headers["Authorization"]
    client.sendall(
        f"GET /api/v1/feed?wait=20&after={after}&types={types} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {authorization}\r\n\r\n".encode()
    )
    return client
