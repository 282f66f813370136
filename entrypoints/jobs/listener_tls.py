"""The listener's own certificate: whether it can be used, when it ends, and whether it was renewed."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from application.ports.telemetry import Gauge

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 10.0
WARN_BEFORE_S: Final = 14 * 86_400.0
"""Renewals are usually due a third of a certificate's life before its end; this late, one went wrong."""
WARN_EVERY_S: Final = 86_400.0
_FILE_BYTES_MAX: Final = 1024 * 1024


class CertificateUnusable(Exception):
    """The files are no certificate with its key; the message says which and why, never what is in them."""


class Certificate(NamedTuple):
    """What a certificate file holds, as far as an operator is concerned."""

    subject: str
    ends_at: datetime

    def left_s(self, now: datetime) -> float:
        """Seconds until it ends; negative: it has."""
        return (self.ends_at - now).total_seconds()


def read_certificate(file: Path) -> Certificate:
    """The first certificate of a PEM file, which is the server's own.

    Raises:
        CertificateUnusable: it cannot be read, or is none.
    """
    from cryptography import x509  # most servers are reached in plain, behind a proxy of their own

    try:
        with file.open("rb") as opened:
            found = x509.load_pem_x509_certificates(opened.read(_FILE_BYTES_MAX))[0]
    except OSError as error:
        raise CertificateUnusable(f"{file}: {error.strerror}") from None
    except (ValueError, IndexError):
        raise CertificateUnusable(f"{file} holds no certificate (PEM)") from None
    return Certificate(found.subject.rfc4514_string()[:200], found.not_valid_after_utc)


def listener_gauges(cert_file: Path | None) -> Iterable[Gauge]:
    """When the listener's certificate ends; nothing where TLS ends elsewhere."""
    if cert_file is None:
        return
    try:
        ends_at = read_certificate(cert_file).ends_at
    except CertificateUnusable:
        return
    yield Gauge(
        "interchange_tls_certificate_expiry_seconds",
        "When the certificate in the listener's file ends, in seconds since 1970.",
        (((), ends_at.timestamp()),),
    )


def check_pair(cert_file: Path, key_file: Path) -> Certificate:
    """The certificate, after proving that a server could use it with its key.

    Raises:
        CertificateUnusable: a file that cannot be read, or a key that is another certificate's.
    """
    certificate = read_certificate(cert_file)
    try:
        # An empty password, so that a key with one is an error and not a question on a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file, password="")
    except ssl.SSLError:
        raise CertificateUnusable(
            f"{key_file} is not the key of {cert_file} (PEM, without a password)"
        ) from None
    except OSError as error:
        raise CertificateUnusable(f"{key_file}: {error.strerror}") from None
    return certificate


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the supervisor has no clock to be given


class CertificateWatch:
    """Notices renewed files, and tells once a day when the end is near.

    `renewed` is called for each pair that can be used; one that cannot is told and left alone.
    """

    def __init__(
        self,
        cert_file: Path,
        key_file: Path,
        *,
        renewed: Callable[[], object],
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._files = cert_file, key_file
        self._renewed = renewed
        self._now = now
        self._seen = self._states()
        self._told_at: datetime | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One look at the files. Does not raise."""
        states = self._states()
        changed, self._seen = states != self._seen, states
        try:
            certificate = check_pair(*self._files) if changed else read_certificate(self._files[0])
        except CertificateUnusable as error:
            if changed:
                log.error("the renewed certificate is not taken over: %s", error)
            return
        self._warn(certificate)
        if changed:
            log.warning("the certificate was renewed, it is good until %s", certificate.ends_at.isoformat())
            self._renewed()

    def _warn(self, certificate: Certificate) -> None:
        now = self._now()
        left_s = certificate.left_s(now)
        if left_s > WARN_BEFORE_S:
            return
        if self._told_at is not None and (now - self._told_at).total_seconds() < WARN_EVERY_S:
            return
        self._told_at = now
        log.error(
            "the certificate in %s %s on %s",
            self._files[0],
            "ends" if left_s > 0 else "ended",
            certificate.ends_at.astimezone(UTC).isoformat(),
        )

    def _states(self) -> tuple[tuple[int, int], ...]:
        found = []
        for file in self._files:
            try:
                state = file.stat()
                found.append((state.st_mtime_ns, state.st_size))
            except OSError:
                found.append((0, -1))
        return tuple(found)
