"""TLS towards providers: version 1.3, the machine's trust store, an own CA where one is given."""

import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from weakref import WeakKeyDictionary

from application.ports.http import Endpoint, OwnTls

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
        files = self._ca_files = tuple(ca_files)
        self._own: WeakKeyDictionary[OwnTls, ssl.SSLContext] = WeakKeyDictionary()
        self._modern = tls_context(ssl.TLSVersion.TLSv1_3, files)
        self._tls12 = tls_context(ssl.TLSVersion.TLSv1_2, files)
        self._always_tls12 = frozenset(host.lower() for host in tls12_hosts)
        self._tls12_hosts = self._always_tls12

    def allow_tls12(self, hosts: Iterable[str]) -> None:
        """From the next connection on these may speak 1.2, besides those that always may."""
        self._tls12_hosts = self._always_tls12 | {host.lower() for host in hosts}

    def __call__(self, endpoint: Endpoint) -> ssl.SSLContext:
        if endpoint.tls is not None:
            return self._own_context(endpoint.tls)
        return self._tls12 if endpoint.host.lower() in self._tls12_hosts else self._modern

    def _own_context(self, own: OwnTls) -> ssl.SSLContext:
        """Raises ssl.SSLError for what is no certificate."""
        context = self._own.get(own)
        if context is None:
            minimum = ssl.TLSVersion.TLSv1_2 if own.tls12 else ssl.TLSVersion.TLSv1_3
            context = self._own[own] = tls_context(minimum, self._ca_files)
            use_own_tls(context, own)
        return context


@cache
def plain_policy() -> TlsPolicy:
    """The machine's trust store and nothing else, for transports that name no policy: one for all of them in
    a process, read when the first one is made. Reading a store takes 60 ms, keeping it megabytes."""
    return TlsPolicy()


def use_own_tls(context: ssl.SSLContext, own: OwnTls) -> None:
    """Trusts what it trusts and proves what it proves. Raises ssl.SSLError for what is no PEM, or where key
    and certificate do not belong together."""
    if own.authority:
        context.load_verify_locations(cadata=own.authority)
    if own.certificate is None or own.private_key is None:
        return
    # One after the other in one file is what the library reads, and it reads nothing but files.
    pair = own.private_key.reveal().strip() + b"\n" + own.certificate.reveal().strip() + b"\n"
    with _as_file(pair) as path:
        # An encrypted key asks for its password, on the terminal if nobody answers here.
        context.load_cert_chain(path, password="")


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A file that only this process can read, in memory where the system has such; gone afterwards."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        path = os.path.join(folder, "pem")  # noqa: PTH118
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
        yield path


def tls_context(minimum: ssl.TLSVersion, ca_files: Iterable[str] = ()) -> ssl.SSLContext:
    """A client context that checks chain and host name, and offers HTTP/1.1 only."""
    context = ssl.create_default_context()
    context.minimum_version = minimum
    context.set_alpn_protocols(["http/1.1"])
    for file in ca_files:
        context.load_verify_locations(cafile=file)
    return context
