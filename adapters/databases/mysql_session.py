"""A session of MySQL or MariaDB: read-only transactions, limits of the server, errors in our words."""

import asyncio
import math
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pymysql.constants import FIELD_TYPE, FLAG
from pymysql.err import Error as MySqlError
from pymysql.err import InterfaceError

from adapters.databases.mysql_connection import CHARSET, PacketTooLarge, StrictConnection
from adapters.databases.mysql_text import statement_text
from adapters.databases.pooled_engine import value_bytes
from adapters.databases.sessions import Session, SessionLost
from application.ports.database_engine import Limits, Statement
from domain.errors import IntegrationUnavailable, ToolFailed

SQL_MODE: Final = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Always this, whatever the server's own is. Without NO_BACKSLASH_ESCAPES and ANSI_QUOTES: who reads a text
before the server does (templates, the guard of free SQL) reads `\\'` and `"` as the server then will."""
ROW_SLACK_BYTES: Final = 64 * 1024
_BINARY: Final = 63
"""The character set of what is bytes."""
_TOO_LONG: Final = frozenset({1205, 1969, 3024})
"""Lock wait, statement time of MariaDB and of MySQL."""
_LOST: Final = frozenset({0, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3169})
_LOST_CLIENT: Final = range(2000, 2100)
_CREDENTIAL: Final = frozenset({1044, 1045, 1049, 1130, 1142, 1227, 1251, 1275, 1698, 1820, 1862, 3118, 4151})
_FULL: Final = frozenset({1040, 1041, 1129, 1203, 1226})
BROKEN: Final = (AssertionError, IndexError, RuntimeError, UnicodeError, ValueError, struct.error)
"""What the driver raises when what it reads is not the protocol, or asks for a file of ours."""
_ROWS_MAX: Final = (1 << 63) - 1
_TYPES: Final = {
    FIELD_TYPE.DECIMAL: "decimal",
    FIELD_TYPE.NEWDECIMAL: "decimal",
    FIELD_TYPE.TINY: "tinyint",
    FIELD_TYPE.SHORT: "smallint",
    FIELD_TYPE.INT24: "mediumint",
    FIELD_TYPE.LONG: "int",
    FIELD_TYPE.LONGLONG: "bigint",
    FIELD_TYPE.FLOAT: "float",
    FIELD_TYPE.DOUBLE: "double",
    FIELD_TYPE.NULL: "null",
    FIELD_TYPE.TIMESTAMP: "timestamp",
    FIELD_TYPE.DATETIME: "datetime",
    FIELD_TYPE.DATE: "date",
    FIELD_TYPE.NEWDATE: "date",
    FIELD_TYPE.TIME: "time",
    FIELD_TYPE.YEAR: "year",
    FIELD_TYPE.BIT: "bit",
    FIELD_TYPE.JSON: "json",
    FIELD_TYPE.ENUM: "enum",
    FIELD_TYPE.SET: "set",
    FIELD_TYPE.GEOMETRY: "geometry",
}
_STRINGS: Final = {
    FIELD_TYPE.VARCHAR: ("varchar", "varbinary"),
    FIELD_TYPE.VAR_STRING: ("varchar", "varbinary"),
    FIELD_TYPE.STRING: ("char", "binary"),
    FIELD_TYPE.TINY_BLOB: ("tinytext", "tinyblob"),
    FIELD_TYPE.MEDIUM_BLOB: ("mediumtext", "mediumblob"),
    FIELD_TYPE.LONG_BLOB: ("longtext", "longblob"),
    FIELD_TYPE.BLOB: ("text", "blob"),
}

Connect = Callable[[], Awaitable[StrictConnection]]


class MySqlSession(Session):
    """`connect` opens another connection to the same address, for what only another one can stop."""

    def __init__(self, connection: StrictConnection, database: str, connect: Connect) -> None:
        self.columns: Sequence[str] = ()
        self.types: Sequence[str] = ()
        self.rows_affected = 0
        self.running = False
        self._writes = False
        self._connection, self._database, self._connect = connection, database, connect
        self._thread = int(connection.thread_id())
        self.is_mariadb = "mariadb" in str(connection.server_version).lower()
        self._version = _version(str(connection.server_version))
        # MariaDB took MySQL's newer name in 11.1.
        older = self.is_mariadb and self._version < (11, 1)
        self._read_only = "tx_read_only" if older else "transaction_read_only"
        self._role = ""

    async def learn(self) -> None:
        """What `renew` has to bring back that the protocol's own reset does not: the role of the login."""
        if self.is_mariadb:
            rows = await self.ask("SELECT CURRENT_ROLE()")
            role = rows[0][0] if rows else None
            self._role = "NONE" if role is None else "`" + str(role).replace("`", "``") + "`"
        elif self._version >= (8,):
            self._role = "DEFAULT"

    async def begin(self, limits: Limits, *, write: bool) -> None:
        self._writes = write
        self._connection.packet_bytes_max = limits.bytes + ROW_SLACK_BYTES
        await self._say(self._settings(limits, write=write))
        await self._say(f"START TRANSACTION READ {'WRITE' if write else 'ONLY'}")

    def _settings(self, limits: Limits, *, write: bool) -> str:
        seconds = max(math.ceil(limits.timeout_s), 1)
        time = (
            f"max_statement_time={max(limits.timeout_s, 0.001):.3f}"
            if self.is_mariadb
            else f"max_execution_time={max(int(limits.timeout_s * 1000), 1)}"
        )
        rows = _ROWS_MAX if write else min(limits.rows + 1, _ROWS_MAX)
        # The variable makes the next transaction read-only too, should a statement end this one.
        return (
            f"SET character_set_client={CHARSET}, character_set_connection={CHARSET}, "
            f"character_set_results={CHARSET}, sql_mode='{SQL_MODE}', time_zone='+00:00', "
            f"{self._read_only}={0 if write else 1}, {time}, lock_wait_timeout={seconds}, "
            f"innodb_lock_wait_timeout={seconds}, net_write_timeout={seconds + 60}, sql_select_limit={rows}"
        )

    async def run(self, statement: Statement) -> None:
        text = statement_text(statement.text, statement.values, write=self._writes)
        self.running = True
        with self._translated():
            result = await self._connection.run(text)
            description = result.description or ()
            self.columns = tuple(column[0] for column in description)
            self.types = tuple(map(_type_name, result.fields)) if description else ()
            self.rows_affected = 0 if description else int(result.affected_rows or 0)
            if not result.unbuffered_active:
                await self._end()

    async def _end(self) -> None:
        """After a result: what a procedure adds to it is one word that it is done, or too much."""
        if self._connection.more_results() and not await self._connection.last_word():
            raise ToolFailed("it returns more than one result, and only one can be passed on")
        self.running = False

    async def fetch(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        size = 0
        with self._translated():
            while self.columns and self.running and len(found) < rows and size < size_bytes:
                row = await self._connection.row()
                if row is None:
                    await self._end()
                    break
                found.append(row)
                size += sum(map(value_bytes, row))
        return found

    async def commit(self) -> None:
        await self._say("COMMIT")

    async def renew(self) -> None:
        with self._translated():
            await self._connection.reset()
            if self._database:
                await self._connection.use(self._database)
        if self._role:
            await self._say(f"SET ROLE {self._role}")

    async def stop(self) -> None:
        """Through another connection: this one does not listen while it works."""
        self._connection.abort()
        with self._translated():
            other = await self._connect()
            try:
                # The statement and what it holds: the connection has nobody left.
                await other.run(f"KILL {self._thread}")
            finally:
                other.abort()

    async def close(self) -> None:
        if not self.running:
            with self._translated():
                await self._connection.ensure_closed()
        self._connection.abort()

    async def ask(self, text: str) -> Sequence[Sequence[Any]]:
        """All rows of a short question of our own."""
        await self.run(Statement(text, {}))
        return await self.fetch(10_000, 1 << 24)

    async def _say(self, text: str) -> None:
        self.running = True
        with self._translated():
            await self._connection.run(text)
        self.running = False

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises ToolFailed, SessionLost, TimeoutError."""
        try:
            yield
        except PacketTooLarge as error:
            raise ToolFailed(f"{error}: ask for less of it") from None
        except MySqlError as error:
            self._raise(error)
        except (OSError, EOFError) as error:
            raise SessionLost("the connection to the database broke") from error
        except BROKEN as error:
            self._connection.abort()
            raise SessionLost("the database does not speak as MySQL does") from error

    def _raise(self, error: MySqlError) -> None:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if isinstance(error, InterfaceError) or code in _LOST or code in _LOST_CLIENT:
            raise SessionLost("the database ended the connection") from None
        # It is over on the server, so the session can go on.
        self.running = bool(self._connection.closed)
        if code in _TOO_LONG:
            raise TimeoutError
        raise ToolFailed(told(error)) from None


def told(error: MySqlError) -> str:
    """SQLSTATE and the server's own words."""
    words = str(error.args[1]) if len(error.args) > 1 else "the database refused it"
    state = getattr(error, "sqlstate", None)
    return f"{state}: {words}" if state else words


def refusal(error: MySqlError, where: str, cause: BaseException | None = None) -> IntegrationUnavailable:
    """Why we were not let in; nothing of it names the password."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    cause = cause or error.__cause__
    if isinstance(cause, ssl.SSLError):
        return IntegrationUnavailable(f"no TLS with the database at {where}: {_reason(cause)}")
    if code in _CREDENTIAL:
        return IntegrationUnavailable(f"the database at {where} refuses our credential: {told(error)}")
    if code in _FULL:
        return IntegrationUnavailable(
            f"the database at {where} takes no more connections: {told(error)}", retry_after_s=5.0
        )
    if isinstance(cause, OSError | asyncio.TimeoutError):
        reason = cause.strerror or "no answer" if isinstance(cause, OSError) else "no answer"
        return IntegrationUnavailable(
            f"the database at {where} cannot be reached: {reason}", retry_after_s=1.0
        )
    return IntegrationUnavailable(f"the database at {where} lets nobody in: {told(error)}", retry_after_s=1.0)


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return error.reason or "the handshake failed"


def _version(text: str) -> tuple[int, ...]:
    """Major and minor. Some MariaDB say 5.5.5- before theirs, so that old replicas understand them."""
    numbers = text.removeprefix("5.5.5-").split(".")
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in (*numbers, "0")[:2])


def _type_name(field: Any) -> str:
    if field.flags & FLAG.ENUM:
        return "enum"
    if field.flags & FLAG.SET:
        return "set"
    if field.type_code in _STRINGS:
        text, binary = _STRINGS[field.type_code]
        return binary if field.charsetnr == _BINARY else text
    name = _TYPES.get(field.type_code, "unknown")
    return f"{name} unsigned" if field.flags & FLAG.UNSIGNED and name.endswith("int") else name
