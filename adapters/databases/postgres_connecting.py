"""One connection to PostgreSQL: to an address that was judged, with TLS for the name it was judged under.

Nothing is taken from this process's environment, home directory or service files: those are the
operator's, and the server is somebody else's.
"""

import asyncio
import ssl
from typing import Any, Final

import asyncpg

from adapters.databases.destination import Destination, client_tls
from adapters.databases.postgres_values import CODECS
from domain.errors import IntegrationUnavailable

CONNECT_S: Final = 5.0
FETCH_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of one answer of the server; whatever sends more at once is hung up on."""
_SETTINGS: Final = {
    "application_name": "interchange",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
}
_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientPrivilegeError,
)


class NamedContext(ssl.SSLContext):
    """Says and expects one name, whatever address the driver connects to."""

    name: str = ""

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """The driver knows the address only, and would expect a certificate for it."""
        more["server_hostname"] = self.name
        return super().wrap_bio(*args[:3], **more)


def named_context(destination: Destination) -> NamedContext | None:
    """None: no TLS. Version 1.2 at least. Raises InvalidConfiguration."""
    plain = client_tls(destination.tls, destination.ca_pem)
    if plain is None:
        return None
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.name = destination.host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname, context.verify_mode = plain.check_hostname, plain.verify_mode
    if destination.ca_pem:
        context.load_verify_locations(cadata=destination.ca_pem)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


class MeteredConnection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """Hangs up on a server that sends more than FETCH_BYTES_MAX at once: a row may have a gigabyte."""

    __slots__ = ("meter",)

    def __init__(self, protocol: Any, transport: Any, *more: Any) -> None:
        super().__init__(protocol, transport, *more)
        self.meter = Meter(protocol, transport)
        transport.set_protocol(self.meter)


class Meter(asyncio.Protocol):
    """Stands before the driver and counts what arrives."""

    def __init__(self, driver: Any, transport: Any) -> None:
        self._driver = driver
        self._transport = transport
        self.left_bytes = FETCH_BYTES_MAX

    @property
    def exceeded(self) -> bool:
        return self.left_bytes < 0

    def refill(self) -> None:
        self.left_bytes = FETCH_BYTES_MAX

    def data_received(self, data: bytes) -> None:
        """A part that arrived; passed on while there is room."""
        self.left_bytes -= len(data)
        if self.left_bytes < 0:
            self._transport.abort()
            return
        self._driver.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._driver.connection_lost(exc)

    def eof_received(self) -> bool | None:
        kept: bool | None = self._driver.eof_received()
        return kept

    def pause_writing(self) -> None:
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        self._driver.resume_writing()


async def connect(destination: Destination, context: NamedContext | None, schema: str) -> MeteredConnection:
    """A connection that somebody was let in on. Cancelling leaves none behind.

    Raises EgressRefused, IntegrationUnavailable.
    """
    last = "it has no address"
    for ip in await destination.addresses():
        try:
            return await _connected(destination, ip, context, schema)
        except _REFUSED as error:
            raise refusal(destination, error.args[0] if error.args else type(error).__name__) from None
        except ssl.SSLCertVerificationError as error:
            raise refusal(destination, f"its certificate is not accepted ({error.verify_message})") from None
        except ssl.SSLError as error:
            raise refusal(destination, f"TLS failed ({error.reason or 'unknown reason'})") from None
        except TimeoutError:
            last = f"no answer within {CONNECT_S:g} s"
        except ConnectionError as error:
            last = "it offers no TLS" if "SSL" in str(error) else (error.strerror or "it hung up")
        except OSError as error:
            last = error.strerror or type(error).__name__
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            last = str(error.args[0] if error.args else type(error).__name__)
    raise refusal(destination, last)


async def _connected(
    destination: Destination, ip: str, context: NamedContext | None, schema: str
) -> MeteredConnection:
    async with asyncio.timeout(CONNECT_S):
        connection: MeteredConnection = await asyncpg.connect(
            host=ip,
            port=destination.port,
            user=destination.username,
            # Asked for as it logs in, and empty rather than nothing: without a password the
            # driver would look for the operator's in the environment.
            password=destination.password_text,
            database=destination.database,
            ssl=context if context is not None else False,
            direct_tls=False,
            target_session_attrs="any",
            passfile="/dev/null",
            timeout=CONNECT_S,
            statement_cache_size=0,
            server_settings=_SETTINGS | {"search_path": f'"{schema.replace(chr(34), chr(34) * 2)}"'},
            connection_class=MeteredConnection,
        )
        try:
            for name, (encoder, decoder, form) in CODECS.items():
                await connection.set_type_codec(
                    name, schema="pg_catalog", encoder=encoder, decoder=decoder, format=form
                )
        except BaseException:
            connection.terminate()
            raise
        return connection


def refusal(destination: Destination, why: str) -> IntegrationUnavailable:
    """What a caller is told; what the server says of itself has no password in it."""
    secret = destination.password_text()
    told = why.replace(secret, "…") if len(secret) >= 4 else why
    return IntegrationUnavailable(
        f"PostgreSQL at {destination.host}:{destination.port} cannot be used: {told[:300]}", retry_after_s=1.0
    )
