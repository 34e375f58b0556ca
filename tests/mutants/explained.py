"""Mutants that no test can catch, or need not, each with the reason. They are known by their file and the line's text,
so that an entry goes on counting when lines move, and ends when the line changes."""

BY_NAME = "The mutant is of the mark behind which arguments are named, and all callers name them."
LENGTHS = "Both are of one length by construction; `strict` guards against a mistake in this function."
SPEED = "The result is the same without it, only later; `make bench` and docs/costs.json measure the time."

EXPLAINED: dict[tuple[str, str], str] = {
    (
        "integration/domain/versions.py",
        "def upcast(event_type: type[Versioned], *, from_version: int) -> Callable[[Upcaster], Upcaster]:",
    ): BY_NAME,
    (
        "ordering/models/order_shipments.py",
        "def with_arranged(shipments: Shipments, event: OrderShipmentArranged, *, is_cancelled: bool) -> Shipments:",
    ): BY_NAME,
    ("billing/models/invoice.py", "*,"): BY_NAME,
    (
        "integration/invariants.py",
        "violated = [(what, [name for name, bad in zip(names, clauses, strict=True) if bad]) "
        "for _, what, *clauses in rows]",
    ): LENGTHS,
    (
        "integration/rest/problems.py",
        "if isinstance(error, OperationalError | InterfaceError) and not is_stale_plan(error):",
    ): "Without it the error reaches `server_error`, which responds in the same way.",
    (
        "integration/messaging/archive.py",
        'first_unsettled = Coalesce(Subquery(unsettled.order_by().values("pk")[:1]), 0)',
    ): "Keys begin at 1 and the condition is `< 1`, so any number below 1 means the same.",
    (
        "integration/contracts/registry.py",
        "newest = max(schemas, default=0)",
    ): "Versions begin at 1, so any number below 1 means that no version was published.",
    (
        "integration/messaging/wakeups.py",
        "_failures += 1",
    ): "The number is compared for equality only, so by how much it grows does not matter.",
    (
        "integration/messaging/wakeups.py",
        "opened_after = -1",
    ): "Without a producer, which a new thread does not have, the number is not looked at.",
    (
        "integration/messaging/standing.py",
        "oldest = max(of_consumer.lag, (clock.now() - since).total_seconds() if since else 0.0)",
    ): "A lag is never negative, so the larger of the two is the same.",
    (
        "integration/storage/strict_json.py",
        'return "".join(_chunks(value, 0))',
    ): "The number is the depth at which indentation begins, and the encoder does not indent.",
    (
        "integration/storage/reading.py",
        "set_json_loads(msgspec.json.decode)  # four times as fast as the standard library's",
    ): SPEED,
}
"""By file and line (stripped): why a mutant of this line may survive."""
