"""The parts that all REST APIs share: authentication, problems, idempotency, pagination, ETags and correlation ids."""
