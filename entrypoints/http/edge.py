"""What is decided about a request before any endpoint sees it: its head, its sender, its origin.

A server that is asked for none of it pays for the head alone.
"""

from dataclasses import dataclass
from typing import Final

from domain.tenancy.networks import ANYWHERE, Networks
from entrypoints.http.addresses import client_address, forwarded_client
from entrypoints.http.asgi import Message, RawHeaders, Scope, Send
from entrypoints.http.head_limits import HeadProblem
from entrypoints.http.security_headers import HSTS

PROBES: Final = frozenset({"/health/live", "/health/ready", "/ready"})
"""Asked by machines beside this one, and telling nothing: no list keeps them out."""
_ALLOWED_METHODS: Final = b"GET, POST, PUT, PATCH, DELETE"
_PREFLIGHT_KEPT_S: Final = 600
_SHOWN_HEADERS: Final = b"x-request-id, retry-after, x-interchange-provider, x-interchange-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`allowed` are networks callers may come from, `trusted` the proxies in front, which write
    `forwarded_header`. `origins` are web origins whose pages may call (CORS); `hsts`: TLS ends here."""

    allowed: Networks = ANYWHERE
    trusted: Networks = ANYWHERE
    forwarded_header: bytes = b"x-forwarded-for"
    origins: frozenset[bytes] = frozenset()
    hsts: bool = False

    @property
    def plain(self) -> bool:
        """Whether nothing of this is asked for."""
        return not (self.allowed or self.trusted or self.origins or self.hsts)

    def problem(self, scope: Scope) -> HeadProblem | None:
        """Puts the caller's address into the scope; why it may not come in from there, None: it may."""
        if self.trusted:
            peer = client_address(scope)
            address = forwarded_client(peer, scope["headers"], self.trusted, self.forwarded_header)
            scope["client"] = (address, 0)
        if not self.allowed or scope["path"] in PROBES or self.allowed.admits(client_address(scope)):
            return None
        return HeadProblem(403, "forbidden", "this address may not use this server")

    def preflight(self, scope: Scope) -> RawHeaders | None:
        """The headers that answer a browser's question before a call; None: it asks nothing."""
        if not self.origins or scope["method"] != "OPTIONS":
            return None
        headers = dict(scope["headers"])
        if b"access-control-request-method" not in headers or b"origin" not in headers:
            return None
        if headers[b"origin"] not in self.origins:
            return [(b"vary", b"origin")]
        asked = headers.get(b"access-control-request-headers", b"")
        return [
            (b"access-control-allow-origin", headers[b"origin"]),
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            *([(b"access-control-allow-headers", asked)] if asked else []),
            (b"access-control-max-age", b"%d" % _PREFLIGHT_KEPT_S),
            (b"vary", b"origin, access-control-request-headers"),
        ]

    def answering(self, scope: Scope, send: Send) -> Send:
        """`send`, with what answers say because of where they come from and where they go."""
        added: RawHeaders = [HSTS] if self.hsts else []
        if self.origins:
            added.append((b"vary", b"origin"))
            origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
            if origin in self.origins:
                added.append((b"access-control-allow-origin", origin))
                added.append((b"access-control-expose-headers", _SHOWN_HEADERS))
        if not added:
            return send

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        return sending


PLAIN: Final = Edge()
