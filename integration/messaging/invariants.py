"""What must always be true of messages and deliveries."""

from integration.domain.invariants import always


@always("events.each_consumer_has_one_delivery")
def each_consumer_has_one_delivery() -> str:
    """Every message has one delivery for each consumer it was addressed to."""
    return """
        SELECT message.name || ' ' || message.id || ': ' || count(delivery.id) || ' deliveries of '
                 || message.addressed_to AS what,
               count(delivery.id) <> message.addressed_to AS bad
        FROM integration_message AS message
        LEFT JOIN integration_delivery AS delivery ON delivery.message_id = message.id
        GROUP BY message.id, message.name, message.addressed_to
    """
