"""Whether a connection may be made: public addresses, plus what an operator named, less what it denied.

Asked about the very address that is connected to, every time: a name says nothing about where it leads.
"""

from dataclasses import dataclass, replace
from typing import Final

from domain.egress.addresses import (
    AddressClass,
    classify,
    is_local_name,
    is_metadata_name,
    normalised_host,
    unwrapped,
)
from domain.egress.entries import EgressEntry, destination

_UNLOCKED_BY_NAME: Final = frozenset({AddressClass.PRIVATE, AddressClass.SHARED, AddressClass.LOOPBACK})
"""What a named host may resolve to. The others have to be named as addresses."""
_UNLOCKED_BY_PRIVATE: Final = frozenset({AddressClass.PRIVATE, AddressClass.SHARED})
PORTS_OF_OTHERS: Final = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
     109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
     526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1433, 1521, 1719, 1720,
     1723, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566,
     6665, 6666, 6667, 6668, 6669, 6679, 6697, 10250, 10255, 11211, 27017}
)  # fmt: skip
"""Ports where something listens that HTTP could be smuggled to; an entry with that very port opens one."""
DATABASE_PORTS: Final = frozenset({1433, 1521, 3306, 5432})
"""Of those above, what drivers of databases are there to speak to."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` says why not, in words that tell nothing about the network; empty: it may."""

    reason: str = ""

    @property
    def allowed(self) -> bool:
        return not self.reason


MAY: Final = Verdict()


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """For destinations that a caller, a tenant or an answer can influence.

    `private` opens private and shared networks, never loopback, link-local or metadata addresses: those an
    entry of `allow` has to name, metadata addresses exactly. `deny` wins over everything.
    """

    allow: tuple[EgressEntry, ...] = ()
    deny: tuple[EgressEntry, ...] = ()
    private: bool = False
    closed_ports: frozenset[int] = PORTS_OF_OTHERS

    def judge(self, host: str, ip: str, port: int) -> Verdict:
        """`ip` empty: somebody else resolves the name (a proxy), and only the name can be judged."""
        plain, address = destination(host, ip)
        if any(entry.matches(plain, address, port) for entry in self.deny):
            return Verdict("denied by this installation")
        named = [entry for entry in self.allow if entry.matches(plain, address, port)]
        kind = None if address is None else classify(address)
        if kind is AddressClass.METADATA or is_metadata_name(plain):
            return _metadata(named, plain, ip, port)
        if port in self.closed_ports and not any(entry.port == port for entry in named):
            return Verdict(f"port {port} is not one for HTTP")
        if kind is None:
            if named or not is_local_name(plain):
                return MAY
            return Verdict("a name of a local network")
        if kind is AddressClass.PUBLIC or any(entry.network is not None for entry in named):
            return MAY
        if named and kind in _UNLOCKED_BY_NAME:
            return MAY
        if self.private and kind in _UNLOCKED_BY_PRIVATE:
            return MAY
        return Verdict("not a public address")

    def allows(self, host: str, ip: str, port: int) -> bool:
        return not self.judge(host, ip, port).reason


def _metadata(named: list[EgressEntry], host: str, ip: str, port: int) -> Verdict:
    """A name does not unlock the address, unless it is the service's own name."""
    _, address = destination(host, ip)
    for entry in named:
        if entry.network is not None and entry.is_exactly(host, address, port):
            return MAY
        if is_metadata_name(host) and entry.is_exactly(host, address, port):
            return MAY
    return Verdict("a metadata service")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorEgress:
    """For connections to what the operator configured: `endpoints` are normalised hosts with ports.

    Exactly those may be anywhere, private networks and loopback included, but a name never leads to a
    metadata service or to what no host can be. Everything else is judged by the policy.
    """

    policy: EgressPolicy
    endpoints: frozenset[tuple[str, int]] = frozenset()

    def judge(self, host: str, ip: str, port: int) -> Verdict:
        """As `EgressPolicy.judge`."""
        plain, address = destination(host, ip)
        if (plain, port) not in self.endpoints:
            return self.policy.judge(host, ip, port)
        if any(entry.matches(plain, address, port) for entry in self.policy.deny):
            return Verdict("denied by this installation")
        if address is None or str(unwrapped(address)) == plain or str(address) == plain:
            return MAY
        kind = classify(address)
        if kind is AddressClass.PUBLIC or kind in _UNLOCKED_BY_NAME:
            return MAY
        return self.policy.judge(host, ip, port)

    def allows(self, host: str, ip: str, port: int) -> bool:
        return not self.judge(host, ip, port).reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedEgress:
    """For addresses that nobody but the operator's configuration can name, such as identity services.

    Metadata services are where a machine's own identity is asked, so only `deny` holds.
    """

    policy: EgressPolicy

    def judge(self, host: str, ip: str, port: int) -> Verdict:
        """As `EgressPolicy.judge`."""
        plain, address = destination(host, ip)
        if any(entry.matches(plain, address, port) for entry in self.policy.deny):
            return Verdict("denied by this installation")
        return MAY

    def allows(self, host: str, ip: str, port: int) -> bool:
        return not self.judge(host, ip, port).reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEgress:
    """For drivers with sockets of their own, towards addresses that a tenant names.

    As `policy`, but that ports of databases are open, and metadata services are closed whatever it allows:
    no database is there.
    """

    policy: EgressPolicy

    def judge(self, host: str, ip: str, port: int) -> Verdict:
        """As `EgressPolicy.judge`."""
        plain, address = destination(host, ip)
        if is_metadata_name(plain) or (address is not None and classify(address) is AddressClass.METADATA):
            return Verdict("a metadata service")
        open_to_drivers = replace(self.policy, closed_ports=self.policy.closed_ports - DATABASE_PORTS)
        return open_to_drivers.judge(host, ip, port)


@dataclass(frozen=True, slots=True)
class TenantEgress:
    """What one tenant's tools and webhooks may reach, beneath what the installation allows.

    None of `entries`: everything the installation allows. A network entry matches address literals only: a
    tenant names hosts, and where a name leads is judged by the installation.
    """

    entries: tuple[EgressEntry, ...] | None = None

    def judge(self, host: str, port: int) -> Verdict:
        """About a request before it is sent: pooled connections are shared between tenants."""
        if self.entries is None:
            return MAY
        plain, address = destination(host, "")
        if any(entry.matches(plain, address, port) for entry in self.entries):
            return MAY
        return Verdict("not on the list of this tenant")


def endpoint_key(host: str, port: int) -> tuple[str, int]:
    """A destination as `OperatorEgress.endpoints` holds it."""
    return normalised_host(host), port
