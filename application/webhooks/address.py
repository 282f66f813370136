"""Where webhooks may be sent to, as far as an address says; the rest is judged at every connection."""

from urllib.parse import urlsplit

from domain.errors import InvalidConfiguration
from domain.webhooks.endpoint import URL_LENGTH_MAX


def check_url(url: str, *, http_allowed: bool, param: str = "url") -> None:
    """Raises InvalidConfiguration, which does not repeat what stands behind the host."""
    if not 1 <= len(url) <= URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidConfiguration(
            f"a URL has 1 to {URL_LENGTH_MAX} printable ASCII characters without spaces", param=param
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidConfiguration("this is no URL", param=param) from None
    if parts.scheme != "https" and not (parts.scheme == "http" and http_allowed):
        raise InvalidConfiguration(
            "webhooks are sent to https:// alone (webhooks.http_allowed is for tests on one machine)",
            param=param,
        )
    if not parts.hostname or port == 0:
        raise InvalidConfiguration("the URL names no host that could be reached", param=param)
    if parts.username is not None or parts.password is not None:
        raise InvalidConfiguration(
            "the URL must hold no user and no password; what is sent is signed", param=param
        )
    if parts.fragment:
        raise InvalidConfiguration("a fragment (#…) is never sent; leave it out", param=param)


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address that was checked."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port
