"""Under which origins browsers reach this server: told by the operator, or plain to see on this machine.

A page of somebody else's can have a name of its own lead to this machine (DNS rebinding); then the browser
takes this server for that name. `Host` shows it: the one that the operator named, loopback, or a stranger's.
"""

import re
from typing import Final

from domain.errors import Forbidden
from entrypoints.http.asgi import Scope

_LOOPBACK: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Whether a `Host` names this machine itself."""
    return _LOOPBACK.fullmatch(host) is not None


def page_origins(scope: Scope, headers: dict[bytes, bytes], public_url: str) -> tuple[str, ...]:
    """Origins that pages of this server can have for whoever sent this: the configured one, and the one of a
    loopback `Host`. Empty: none, so that no login counts."""
    host = _host(headers)
    found = [public_url] if public_url else []
    if is_loopback(host):
        here = f"{scope.get('scheme') or 'http'}://{host.lower()}"
        found += [here] if here != public_url else []
    return tuple(found)


def reached_as(scope: Scope, headers: dict[bytes, bytes], public_url: str) -> str:
    """The origin to log in at: the page's own where it names one, else what `Host` says.

    Raises:
        Forbidden: `Host` is neither loopback nor the configured one.
    """
    origins = page_origins(scope, headers, public_url)
    host = _host(headers)
    if public_url and _name_of(host) == _name_of(public_url.partition("://")[2]):
        named = public_url
    elif is_loopback(host):
        named = origins[-1]
    elif public_url:
        raise Forbidden(
            f"this server was reached as {host[:100]!r}, and server.public_url says {public_url}: open that, "
            "or let the proxy in front hand on the Host header"
        )
    else:
        raise Forbidden(
            f"this server was reached as {host[:100]!r}: to log in under a name, set server.public_url to "
            "the origin that browsers see"
        )
    sender = headers.get(b"origin", b"").decode("latin-1")
    return sender if sender in origins else named


def _host(headers: dict[bytes, bytes]) -> str:
    return headers.get(b"host", b"").decode("latin-1").strip()


def _name_of(host: str) -> str:
    """Without the port; empty for what is no name."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", host)
    return found[1].lower() if found else ""
