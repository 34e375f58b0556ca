"""Management commands for messages, read models, histories, contracts and the generated documents."""
