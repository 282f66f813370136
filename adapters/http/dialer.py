"""Opening connections: name to addresses, the egress rule on each, TCP, proxy, TLS.

The rule is asked about the very address that is then connected to, so a name that resolves differently
the second time (DNS rebinding) gains nothing.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from itertools import zip_longest
from typing import Final

from adapters.http.connection import Connection
from adapters.http.egress import EgressRule
from adapters.http.limits import TransportLimits
from adapters.http.proxy import OutboundProxy, TunnelHandshake, TunnelRefused
from adapters.http.request_head import not_allowed, refused
from adapters.http.tls import TlsContexts
from application.ports.http import Endpoint, TransportFailed, TransportStage

_ADDRESSES_TRIED_MAX: Final = 6

CertificateSeen = Callable[[str, str], None]
"""Told the host and the end of its certificate, as TLS libraries write it (`Jan  5 09:34:43 2030 GMT`)."""


class Dialer:
    """Opens one connection at a time; holds no connections."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: TransportLimits,
        *,
        tls: TlsContexts,
        allow: EgressRule | None,
        proxy: OutboundProxy | None,
        on_certificate: CertificateSeen | None = None,
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._tls = tls
        self._allow = allow
        self._proxy = proxy
        self._on_certificate = on_certificate

    async def dial(self, endpoint: Endpoint, timeout_s: float) -> Connection:
        """An open connection, TLS included. Cancelling closes whatever was opened so far.

        Raises:
            TransportFailed: REFUSED by the egress rule, else CONNECT.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if self._proxy is not None and self._proxy.serves(endpoint):
                    return await self._through_proxy(endpoint, self._proxy, self._loop.time() + timeout_s)
                addresses = await self._addresses(endpoint.host, endpoint.port)
                addresses = self._permitted(endpoint, addresses)
                return await self._first_to_answer(endpoint, addresses, self._loop.time() + timeout_s)
        except TimeoutError:
            raise self._failed(endpoint, "timed out") from None
        except TunnelRefused as error:
            raise self._failed(endpoint, str(error)) from None
        except socket.gaierror:
            raise self._failed(endpoint, "the name cannot be resolved") from None
        except ssl.SSLCertVerificationError as error:
            raise self._failed(endpoint, f"certificate not accepted: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise self._failed(endpoint, f"TLS failed: {error.reason or 'unknown reason'}") from None
        except OSError as error:
            raise self._failed(endpoint, error.strerror or type(error).__name__) from None
        except UnicodeError:
            raise refused("the host is not a name or an IP address") from None

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Addresses to try, families alternating as in RFC 8305; canonical text."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        by_family: dict[int, dict[str, None]] = {}
        for family, _, _, _, address in found:
            by_family.setdefault(family, {})[str(address[0])] = None
        rounds = zip_longest(*by_family.values())
        return [address for turn in rounds for address in turn if address is not None]

    def _permitted(self, endpoint: Endpoint, addresses: list[str]) -> list[str]:
        allow = self._allow
        if allow is None:
            return addresses
        permitted = [
            address for address in addresses if allow(endpoint.host, address.partition("%")[0], endpoint.port)
        ]
        if addresses and not permitted:
            raise not_allowed(endpoint.host, endpoint.port)
        return permitted

    async def _first_to_answer(
        self, endpoint: Endpoint, addresses: list[str], give_up_at: float
    ) -> Connection:
        """Tries in order, each with its share of the time, so that one dead address is not the end."""
        last: OSError = OSError("the name has no address")
        addresses = addresses[:_ADDRESSES_TRIED_MAX]
        context = self._tls(endpoint) if endpoint.scheme == "https" else None
        for position, address in enumerate(addresses):
            share_s = (give_up_at - self._loop.time()) / (len(addresses) - position)
            try:
                async with asyncio.timeout(share_s):
                    transport, connection = await self._loop.create_connection(
                        lambda: Connection(self._loop, self._limits),
                        address,
                        endpoint.port,
                        ssl=context,
                        server_hostname=endpoint.host if context is not None else None,
                    )
                    if context is not None:
                        self._note_certificate(endpoint.host, transport)
                    return connection
            except OSError as error:  # TimeoutError and ssl.SSLError among them
                last = error
        raise last

    async def _through_proxy(self, endpoint: Endpoint, proxy: OutboundProxy, give_up_at: float) -> Connection:
        self._judge_unresolved(endpoint)
        if endpoint.scheme == "http":
            addresses = await self._addresses(proxy.host, proxy.port)
            return await self._first_to_answer(
                Endpoint("http", proxy.host, proxy.port), addresses, give_up_at
            )
        transport, handshake = await self._loop.create_connection(
            lambda: TunnelHandshake(self._loop, proxy.tunnel_request(endpoint)), proxy.host, proxy.port
        )
        try:
            await handshake.opened()
            connection = Connection(self._loop, self._limits)
            secured = await self._loop.start_tls(
                transport, connection, self._tls(endpoint), server_hostname=endpoint.host
            )
            if secured is None:
                raise ConnectionResetError("the proxy closed the connection")
            connection.connection_made(secured)
            self._note_certificate(endpoint.host, secured)
            return connection
        except BaseException:
            transport.abort()
            raise

    def _note_certificate(self, host: str, transport: asyncio.BaseTransport) -> None:
        if self._on_certificate is None:
            return
        certificate = transport.get_extra_info("peercert")
        if certificate and (ends := certificate.get("notAfter")):
            self._on_certificate(host, ends)

    def _judge_unresolved(self, endpoint: Endpoint) -> None:
        """The proxy resolves names; addresses, however spelled, we can still judge ourselves."""
        if self._allow is None:
            return
        try:
            ip = str(ipaddress.ip_address(endpoint.host.partition("%")[0]))
        except ValueError:
            try:
                ip = socket.inet_ntoa(socket.inet_aton(endpoint.host))
            except OSError:
                ip = ""
        if not self._allow(endpoint.host, ip, endpoint.port):
            raise not_allowed(endpoint.host, endpoint.port)

    @staticmethod
    def _failed(endpoint: Endpoint, reason: str) -> TransportFailed:
        return TransportFailed(
            TransportStage.CONNECT, f"cannot connect to {endpoint.host}:{endpoint.port}: {reason}"
        )
