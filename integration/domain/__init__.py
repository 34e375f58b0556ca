"""The building blocks of every context. They import no context, no contract, no database and no broker."""
