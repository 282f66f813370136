"""TLS towards providers: version 1.3, the machine's trust store, an own CA where one is given."""

import ssl
from collections.abc import Callable, Iterable

from application.ports.http import Endpoint

TlsContexts = Callable[[Endpoint], ssl.SSLContext]
"""The context for connections to an endpoint. Called per new connection, so it must be cheap."""


class TlsPolicy:
    """Verified TLS, at least 1.3; hosts listed in `tls12_hosts` may still speak 1.2.

    `ca_files` are trusted besides the machine's own store. Contexts are built once: a bad CA file shows
    at start.

    Raises:
        OSError: a CA file cannot be read (`ssl.SSLError`, a subclass, when it is not PEM).
    """

    def __init__(self, *, ca_files: Iterable[str] = (), tls12_hosts: Iterable[str] = ()) -> None:
        files = tuple(ca_files)
        self._modern = tls_context(ssl.TLSVersion.TLSv1_3, files)
        self._tls12 = tls_context(ssl.TLSVersion.TLSv1_2, files)
        self._always_tls12 = frozenset(host.lower() for host in tls12_hosts)
        self._tls12_hosts = self._always_tls12

    def allow_tls12(self, hosts: Iterable[str]) -> None:
        """From the next connection on these may speak 1.2, besides those that always may."""
        self._tls12_hosts = self._always_tls12 | {host.lower() for host in hosts}

    def __call__(self, endpoint: Endpoint) -> ssl.SSLContext:
        return self._tls12 if endpoint.host.lower() in self._tls12_hosts else self._modern


def tls_context(minimum: ssl.TLSVersion, ca_files: Iterable[str] = ()) -> ssl.SSLContext:
    """A client context that checks chain and host name, and offers HTTP/1.1 only."""
    context = ssl.create_default_context()
    context.minimum_version = minimum
    context.set_alpn_protocols(["http/1.1"])
    for file in ca_files:
        context.load_verify_locations(cafile=file)
    return context
