"""Where a database is, and how a driver with sockets of its own gets there safely."""

import ipaddress
import ssl
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.sessions import PoolSettings
from application.ports.connector import AddressGuard, Surroundings
from domain.errors import InvalidConfiguration
from domain.vault.secret import SecretBytes


class TlsMode(StrEnum):
    OFF = "disable"
    REQUIRE = "require"
    """Encrypted, with whoever answers."""
    VERIFY_FULL = "verify-full"
    """With the host that was named, as a trusted authority says."""


class Destination(NamedTuple):
    """`host` is the name TLS checks; where connections go, `guard` says each time."""

    host: str
    port: int
    database: str
    username: str
    password: SecretBytes | None
    tls: TlsMode
    ca_pem: str
    guard: AddressGuard

    async def addresses(self) -> Sequence[str]:
        """Judged just now; connect to nothing else. Raises EgressRefused, IntegrationUnavailable."""
        return await self.guard(self.host, self.port)

    def password_text(self) -> str:
        """For the driver, and nothing else."""
        return "" if self.password is None else self.password.reveal().decode()


def client_tls(mode: TlsMode, ca_pem: str) -> ssl.SSLContext | None:
    """TLS 1.2 at least; an own authority is trusted instead of the machine's. Raises InvalidConfiguration."""
    if mode is TlsMode.OFF:
        return None
    try:
        context = ssl.create_default_context(cadata=ca_pem or None)
    except ssl.SSLError:
        raise InvalidConfiguration("tls: the authority is not a certificate in PEM", param="tls") from None
    if mode is TlsMode.REQUIRE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def destination_of(
    configuration: DatabaseConfiguration, surroundings: Surroundings, *, port: int
) -> Destination:
    """`port` is the usual one of such databases. Raises InvalidConfiguration."""
    place = configuration.place
    if not place.host:
        raise InvalidConfiguration("endpoint names no host", param="endpoint")
    if not configuration.username:
        raise InvalidConfiguration(
            "authentication names no user, and this database lets nobody in without one",
            param="authentication.username",
        )
    mode = configuration.tls.mode
    return Destination(
        host=place.host,
        port=place.port or port,
        database=place.database,
        username=configuration.username,
        password=surroundings.secrets.get("password"),
        tls=TlsMode(mode) if mode else TlsMode.OFF if _is_here(place.host) else TlsMode.VERIFY_FULL,
        ca_pem=_authority(configuration),
        guard=surroundings.guard,
    )


def pool_settings(configuration: DatabaseConfiguration) -> PoolSettings:
    pool = configuration.pool
    return PoolSettings(places=pool.max, idle_s=pool.idle_s, kept=pool.min, waiting_max=pool.waiting_max)


def driver_missing(package: str, extra: str) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"endpoint needs the package {package}: pip install 'interchange[{extra}]'", param="endpoint"
    )


def _authority(configuration: DatabaseConfiguration) -> str:
    if configuration.tls.ca_file is None:
        return configuration.tls.ca_pem or ""
    try:
        return Path(configuration.tls.ca_file).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not PEM"
        raise InvalidConfiguration(f"tls.ca_file cannot be read: {reason}", param="tls.ca_file") from None


def _is_here(host: str) -> bool:
    """This machine itself, where nobody listens in between."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
