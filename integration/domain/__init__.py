"""The building blocks every context is made of; they know no context, no contract and no broker."""
