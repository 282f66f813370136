"""Where an integration's requests go, and which links still lead there."""

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from application.ports.http import Endpoint, OwnTls

LINK_CHARS_MAX: Final = 8192
_CLEAN: Final = re.compile(r"[\x21-\x7e]+")
_DOTS: Final = frozenset({".", "..", "%2e", "%2e%2e", ".%2e", "%2e."})


class Origin(NamedTuple):
    """A base address: `prefix` is its path without the slash at its end."""

    endpoint: Endpoint
    prefix: str

    @property
    def is_near(self) -> bool:
        """Whether it is this machine itself."""
        host = self.endpoint.host
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def with_tls(self, tls: OwnTls | None) -> "Origin":
        return self._replace(endpoint=self.endpoint._replace(tls=tls))

    def followed(self, link: str, target: str) -> str | None:
        """The request target that a link in the answer to `target` leads to; None: to another origin, or
        nowhere that can be asked."""
        if len(link) > LINK_CHARS_MAX or not _CLEAN.fullmatch(link):
            return None
        here = f"{self.endpoint.scheme}://{self.endpoint.authority}{target}"
        try:
            there = urlsplit(urljoin(here, link))
            port = there.port
        except ValueError:
            return None
        if there.username is not None or there.password is not None:
            return None
        if there.scheme != self.endpoint.scheme or (there.hostname or "") != self.endpoint.host.lower():
            return None
        if (port or _usual_port(there.scheme)) != self.endpoint.port:
            return None
        path = there.path or "/"
        if _DOTS & set(path.lower().split("/")) or not path.startswith("/"):
            return None
        return path + (f"?{there.query}" if there.query else "")


def parse_origin(url: str) -> Origin:
    """Raises ValueError for what is no base address. The message does not hold it."""
    if not _CLEAN.fullmatch(url):
        raise ValueError("must be an http:// or https:// address without blanks")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be an http:// or https:// address") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be an http:// or https:// address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a credential; it belongs into authentication")
    if parts.query or parts.fragment:
        raise ValueError("is a base address: no query, no fragment")
    if "{" in parts.path or _DOTS & set(parts.path.lower().split("/")):
        raise ValueError("is a base address: no placeholders, no . or ..")
    if port == 0:
        raise ValueError("has no such port")
    return Origin(Endpoint(parts.scheme, host, port or _usual_port(parts.scheme)), parts.path.rstrip("/"))


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
