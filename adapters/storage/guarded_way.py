"""Where clients that are made of aiohttp may go: to one host, at the addresses the guard allows.

Left alone, they resolve names themselves, and some follow redirects wherever they lead.
"""

import ipaddress
import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from application.ports.connector import AddressGuard
from domain.errors import IntegrationUnavailable


class Way:
    """Which host requests may go to, and whether its addresses are allowed. `elsewhere` is what to say when
    the store names another host."""

    def __init__(self, guard: AddressGuard, elsewhere: str) -> None:
        self._guard = guard
        self._elsewhere = elsewhere
        self._host = ""

    def lead_to(self, endpoint_url: str) -> None:
        self._host = (URL(endpoint_url).host or "").lower()

    async def judge(self, url: str) -> None:
        """Before each request. Raises EgressRefused, IntegrationUnavailable for another host."""
        parsed = URL(url)
        host = (parsed.host or "").lower()
        if host != self._host and not host.endswith(f".{self._host}"):
            raise IntegrationUnavailable(self._elsewhere)
        if _is_literal(host):
            # aiohttp asks no resolver about these.
            await self._guard(host, parsed.port or 443)

    async def addresses(self, host: str, port: int) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._guard(host, port)
        ]


class GuardedResolver(AbstractResolver):
    """What the guard says, each time a connection is made."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return await self._way.addresses(host, port)

    async def close(self) -> None:
        return None


class Unredirected:
    """What clients use of aiohttp's session: each request is judged, and answers lead nowhere."""

    def __init__(self, session: Any, way: Way | None = None) -> None:
        """`way` None: somebody else judged already."""
        self._session = session
        self._way = way
        self.auto_decompress = session.auto_decompress

    async def request(self, method: str, url: Any = None, **more: Any) -> Any:
        if self._way is not None:
            await self._way.judge(str(url))
        more["allow_redirects"] = False
        return await self._session.request(method, url, **more)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
