"""A psycopg connection that waits for no response longer than the limits allow, and leaves nothing in the session.

* A pooler such as PgBouncer gives each transaction another session. So limits are set by what begins the transaction,
  with `SET LOCAL`, and nothing is prepared behind a pooler.
* The client waits no longer than a statement may take, and then cancels it over a new connection. If that brings no
  response either, the connection is silent: the network swallows what is sent. It is closed, and the error says so.
* A statement that was prepared before a column was altered fails once. It is repeated unless a transaction is open.
"""

import re
import time
from functools import lru_cache, partial
from typing import Any, cast

import psycopg
from psycopg import Connection, IsolationLevel, OperationalError, errors, generators
from psycopg.pq import ExecStatus, TransactionStatus

from integration.storage.limits import Limits, current_limits

GRACE = 0.5
"""Seconds that the client waits longer than the server, whose own limit ends a statement in a transaction."""

CANCEL_TIMEOUT = 1.0
"""Seconds that sending the cancellation may take, and then the response to it."""

PING_AFTER = 1.0
"""Seconds without a response after which a connection is asked for one before it is used again."""

PING_TIMEOUT = 2.0
"""Seconds in which it must respond."""

INTERVAL = 0.1
"""Seconds between two looks at signals while a response is awaited; psycopg's own default."""

IS_DATA = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
IS_READ = re.compile(r"\s*SELECT\b", re.IGNORECASE)

STALE = "RevalidateCachedQuery"
"""The function of PostgreSQL that refuses a plan whose columns have other types now. The message is translated."""


class Silent(OperationalError):
    """The server does not respond on this connection, not even to a cancellation."""


class StalePlan(OperationalError):
    """A prepared statement returns other types than before, because a column was altered. Repeat the transaction."""

    sqlstate = errors.SerializationFailure.sqlstate
    """The code of errors after which a transaction is repeated."""


class ReadOnlyServer(OperationalError):
    """The server accepts no writes: it is a replica now, or not yet the primary."""


class TransactionEnded(OperationalError):
    """The server rolled the transaction back, because its client sent nothing for too long."""


PLAINER: dict[type[errors.Error], type[OperationalError]] = {
    errors.ReadOnlySqlTransaction: ReadOnlyServer,
    errors.IdleInTransactionSessionTimeout: TransactionEnded,
}
"""States of the server that psycopg classifies as internal errors. Nothing of the kind is a bug of the client."""


class Cursor(psycopg.Cursor[Any]):
    """A cursor that executes a statement again if only its plan was stale."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        connection = cast(LimitedConnection, self.connection)
        if not connection.autocommit or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            return super().execute(query, params, **options)
        connection.changes += not IS_READ.match(str(query))
        execute = partial(super().execute, query, params, **options)
        if connection.isolation_differs and IS_DATA.match(str(query)):
            execute = connection.transaction()(execute)
        try:
            return execute()
        except StalePlan:
            return execute()


class LimitedConnection(Connection[Any]):
    """A connection whose statements and transactions keep to `current_limits()`."""

    silence_at = 0.0
    """When a connection of this process was last found silent; others may be, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.isolation_level = IsolationLevel.READ_COMMITTED
        self.isolation_differs = False
        self.is_obsolete = False
        self.changes = 0
        self.responded_at = time.monotonic()

    def adapt_to_server(self) -> None:
        """Ask the server whether a pooler is in between, and which isolation statements without a transaction have.

        A pooler invents the process id that it reports at connect. Without a pooler no plan of the session is compiled:
        our statements look at few rows, and compiling one takes longer (0.3 to 1 s for a claim) whenever outdated
        statistics let PostgreSQL expect many.
        """
        row = self.execute("SELECT pg_backend_pid(), current_setting('default_transaction_isolation')").fetchone()
        pid, isolation = row or (0, "")
        if pid != self.info.backend_pid:
            self.prepare_threshold = None
        else:
            self.execute("SET jit = off")
        self.isolation_differs = isolation != "read committed"

    def is_suspect(self) -> bool:
        """Whether the connection has not responded lately, or not since another one was found silent."""
        now = time.monotonic()
        return now - self.responded_at > PING_AFTER or self.responded_at < LimitedConnection.silence_at

    def responds(self) -> bool:
        """Ask the server for a response; closes the connection if there is none in time."""
        try:
            self.wait(self._exec_command("SELECT 1"), timeout=PING_TIMEOUT)
        except errors._WaitTimeout:
            self._note_silence()
            return False
        except errors.Error:
            return False
        return True

    def commit(self) -> None:
        """Commit, and count it as a change."""
        super().commit()
        self.changes += 1

    def wait(self, gen: Any, interval: float = INTERVAL, timeout: float | None = None) -> Any:
        """Wait for a response within the limits; clarifies errors that say something about the server's state.

        Raises:
            Silent: there was none.
        """
        try:
            response = self._wait_within_limits(gen, interval, timeout)
        except errors.FeatureNotSupported as error:
            if error.diag.source_function != STALE:
                raise
            self._prepared.clear()
            raise StalePlan("a column was altered after the statement was prepared") from error
        except (*PLAINER,) as error:
            # The address may lead to another server by now.
            self.is_obsolete = True
            raise PLAINER[type(error)](str(error)) from error
        self.responded_at = time.monotonic()
        return response

    def _wait_within_limits(self, gen: Any, interval: float, timeout: float | None) -> Any:
        limit = current_limits().statement
        if timeout is not None or limit is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, limit + GRACE)
        except errors._WaitTimeout:
            self._try_cancel(timeout=CANCEL_TIMEOUT)
        try:
            return super().wait(gen, interval, CANCEL_TIMEOUT)
        except errors._WaitTimeout:
            self._note_silence()
            raise Silent("the server does not respond on this connection") from None

    def _note_silence(self) -> None:
        LimitedConnection.silence_at = time.monotonic()
        self.pgconn.finish()

    def _start_query(self) -> Any:
        """Begin a transaction if one is needed, with the limits; one round trip."""
        if self.autocommit or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return
        self._check_connection_ok()
        self.pgconn.send_query(
            self._get_tx_start_command() + _set_local(current_limits(), is_pooled=self.prepare_threshold is None)
        )
        for result in (yield from generators.execute(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise errors.error_from_result(result, encoding=self.pgconn._encoding)


def is_stale_plan(error: Exception) -> bool:
    """Return whether Django raised this error because a plan was stale."""
    return isinstance(error.__cause__, StalePlan)


@lru_cache
def _set_local(limits: Limits, is_pooled: bool) -> bytes:
    names = {"lock": "lock_timeout", "statement": "statement_timeout", "idle": "idle_in_transaction_session_timeout"}
    given = {names[name]: seconds for name, seconds in limits._asdict().items() if seconds is not None}
    settings = (f"; SET LOCAL {name} = {max(1, round(1000 * seconds))}" for name, seconds in given.items())
    return "".join([*settings, *(["; SET LOCAL jit = off"] if is_pooled else [])]).encode()
