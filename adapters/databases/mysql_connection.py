"""aiomysql's connection, made strict: what it does by default is more trusting than we are.

It takes several statements in one text, goes on without TLS when the server does not offer it, sends a
password in clear when the server asks for that, and reads whatever size of packet comes. Here it connects to
a judged address while TLS checks the name, and does none of these. Imported where MySQL is used: it needs the
package `aiomysql`.
"""

import ssl
from typing import Any, Final

import aiomysql
from pymysql.constants import CLIENT, COMMAND, CR, FIELD_TYPE
from pymysql.converters import decoders
from pymysql.err import OperationalError

CHARSET: Final = "utf8mb4"
_RESET_CONNECTION: Final = 0x1F
"""COM_RESET_CONNECTION: MySQL 5.7.3, MariaDB 10.2.4."""
_IN_CLEAR: Final = (b"mysql_clear_password", b"mysql_old_password", b"dialog")
_OWN_DECODERS: Final = {
    FIELD_TYPE.BIT: lambda data: int.from_bytes(data, "big"),
    FIELD_TYPE.TIME: str,  # up to 838 hours, and below zero
}


class StrictConnection(aiomysql.Connection):  # type: ignore[misc]  # untyped
    """One connection to one address. Raises what pymysql raises, and PacketTooLarge for a row too large."""

    def __init__(
        self,
        *,
        address: str,
        port: int,
        name: str,
        user: str,
        password: str,
        database: str | None,
        tls: ssl.SSLContext | None,
        connect_s: float,
    ) -> None:
        super().__init__(
            host=address,
            port=port,
            user=user,
            # It encodes as latin-1; servers hash the UTF-8 they got when the password was set.
            password=password.encode().decode("latin-1"),
            db=database,
            charset=CHARSET,
            conv={**decoders, **_OWN_DECODERS},
            autocommit=None,
            local_infile=False,
            connect_timeout=connect_s,
            program_name="interchange",
        )
        self._user = user  # an empty one would become the user of this process
        self._name, self._tls = name, tls
        self._connect_attrs = {"program_name": "interchange"}
        self.client_flag &= ~CLIENT.MULTI_STATEMENTS
        if tls is not None:
            self.client_flag |= CLIENT.SSL
        self.packet_bytes_max = 1 << 24
        self._packet_bytes = 0

    async def open(self) -> None:
        """With TLS and login. Whatever happens on the way, nothing stays open."""
        try:
            await self._connect()
        except BaseException:
            self.close()
            raise

    async def reset(self) -> None:
        """The session as after login, but for its database."""
        await self._execute_command(_RESET_CONNECTION, b"")
        await self._read_ok_packet()

    async def use(self, database: str) -> None:
        await self._execute_command(COMMAND.COM_INIT_DB, database)
        await self._read_ok_packet()

    async def run(self, sql: str) -> Any:
        """The result, whose rows are still to be read."""
        await self.query(sql, unbuffered=True)
        return self._result

    async def row(self) -> tuple[Any, ...] | None:
        """The next one; None at the end."""
        found: tuple[Any, ...] | None = await self._result._read_rowdata_packet_unbuffered()  # noqa: SLF001
        return found

    def more_results(self) -> bool:
        """Whether another result follows the one that was read: a procedure's."""
        return bool(self._result is not None and self._result.has_next)

    async def last_word(self) -> bool:
        """Reads the head of the next result: whether it has no rows and is the last."""
        await self._read_query_result(unbuffered=True)
        return not self._result.unbuffered_active and not self._result.has_next

    def abort(self) -> None:
        """At once, without a word to the server."""
        if self._writer is not None:
            self._writer.transport.abort()
        self.close()

    async def _get_server_information(self) -> None:
        await super()._get_server_information()
        if self._tls is None:
            return
        if not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, "the server offers no TLS")
        if self._reader._buffer:  # noqa: SLF001
            # Whatever came before TLS would be read after it as if the server had said it there.
            raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, "the server said more than its greeting")
        await self._start_tls(self._tls)

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        """Asks for it and upgrades the same transport; the caller goes on with the login."""
        wish = self.client_flag.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little")
        self.write_packet(wish + bytes([_UTF8MB4]) + bytes(23))
        await self._writer.start_tls(context, server_hostname=self._name)
        self._reader._transport = self._writer.transport  # noqa: SLF001  # which it would pause and resume
        self._secure = True

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name in _IN_CLEAR and not self._secure:
            raise OperationalError(
                CR.CR_AUTH_PLUGIN_CANNOT_LOAD, "the server wants the password in clear, without TLS"
            )
        return await super()._process_auth(plugin_name, auth_packet)

    async def _read_packet(self, *arguments: Any) -> Any:
        self._packet_bytes = 0
        return await super()._read_packet(*arguments)

    async def _read_bytes(self, num_bytes: int) -> bytes:
        self._packet_bytes += num_bytes
        if self._packet_bytes > self.packet_bytes_max:
            self.abort()
            raise PacketTooLarge(f"one row has more than {self.packet_bytes_max} bytes")
        data: bytes = await super()._read_bytes(num_bytes)
        return data


class PacketTooLarge(Exception):
    """A row that is larger than a whole result may be. The connection is closed."""


_UTF8MB4: Final = 45
"""utf8mb4_general_ci, which every server since 5.5 knows."""
