"""E-mails as files: each in the folder of its person, written once, and none after the person is erased."""

from pathlib import Path
from threading import Event, Thread

import pytest
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

from integration.gateways.mail_files import Letter, forget_letters, persons_with_letters


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.EMAIL_BACKEND = "integration.gateways.mail_files.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return tmp_path / "mail"


def write(person: str, key: str = "1", body: str = "Hello", is_wanted: bool = True) -> int:
    headers = {"Message-ID": f"<{key}@example.org>"}
    to = ["ada@example.org"]
    return Letter("Hi", body, to=to, headers=headers, person=person, is_wanted=lambda: is_wanted).send()


def stored(folder: Path) -> list[str]:
    return sorted(path.read_text().rpartition("\n\n")[2] for path in folder.rglob("*") if path.is_file())


def test_forgetting_a_person_deletes_theirs_and_leaves_the_others(folder: Path) -> None:
    write("U-1", "1", "to one")
    write("U-1", "2", "to one again")
    write("U-11", "3", "to eleven")
    EmailMessage("Hi", "to nobody we know", to=["x@example.org"]).send()

    assert forget_letters("U-1") == 2
    assert stored(folder) == ["to eleven", "to nobody we know"]
    assert persons_with_letters() == ["U-11"]
    assert forget_letters("U-1") == 0


def test_a_retry_replaces_the_first_copy(folder: Path) -> None:
    write("U-1", "1", "first")
    write("U-1", "1", "second")
    assert stored(folder) == ["second"]


@pytest.mark.parametrize("person", ["..", ".", "../../U-1", "", "Ünal/ö'%s", "a" * 40])
def test_every_identifier_has_a_folder_of_its_own(folder: Path, person: str) -> None:
    write(person)
    write("U-2", "2", "to another")
    assert persons_with_letters() == sorted([person, "U-2"])
    assert {path.parent.parent for path in folder.rglob("*.eml")} == {folder}
    assert forget_letters(person) == 1
    assert stored(folder) == ["to another"]


def test_an_unwanted_e_mail_is_not_written(folder: Path) -> None:
    assert write("U-1", is_wanted=False) == 0
    assert stored(folder) == []


def test_what_a_killed_writer_left_is_forgotten_too(folder: Path) -> None:
    write("U-1")
    (written,) = folder.rglob("*.eml")
    written.rename(written.with_suffix(".part"))
    forget_letters("U-1")
    assert [*folder.rglob("*")] == []


def test_forgetting_waits_for_an_e_mail_that_is_being_written(folder: Path) -> None:
    """The writer has seen that the e-mail is wanted, and then the person is erased."""
    has_asked, may_go_on, found = Event(), Event(), []

    def is_wanted() -> bool:
        has_asked.set()
        may_go_on.wait(10)
        return True

    def send() -> None:
        Letter("Hi", "late", to=["ada@example.org"], person="U-1", is_wanted=is_wanted).send()

    writing = Thread(target=send, daemon=True)
    writing.start()
    assert has_asked.wait(10)
    forgetting = Thread(target=lambda: found.append(forget_letters("U-1")), daemon=True)
    forgetting.start()
    forgetting.join(0.2)
    assert forgetting.is_alive()
    may_go_on.set()
    for thread in (writing, forgetting):
        thread.join(10)
    assert found == [1]
    assert stored(folder) == []


def test_forgetting_without_any_e_mails_makes_no_folder(folder: Path) -> None:
    assert forget_letters("U-1") == 0
    assert persons_with_letters() == []
    assert not folder.exists()


def test_the_connection_of_a_backend_with_a_folder_of_its_own_writes_there(tmp_path: Path) -> None:
    server = get_connection(file_path=str(tmp_path / "own"))
    EmailMessage("Hi", "there", to=["x@example.org"], connection=server).send()
    assert stored(tmp_path / "own") == ["there"]
