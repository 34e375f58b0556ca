"""A contract, and a transactional consumer that inserts a row for each event of it, through the ORM."""

from integration.contracts.contract import IntegrationEvent, contract
from integration.policies import whenever
from tests.bench.ours.models import Note


@contract("bench.happened")
class Happened(IntegrationEvent, frozen=True):
    """A contract that exists only to measure how fast it is delivered."""

    number: int


@whenever(Happened, name="integration.bench-note")
def note(event: Happened) -> None:
    Note.objects.create(number=event.number)
