"""Which connector serves which integration: by its type, and by the scheme of its endpoint."""

from collections.abc import Iterable, Sequence

from application.ports.connector import ConnectorKind
from application.tools.opening import Kinds
from domain.connectors.integration import Integration, IntegrationKind
from domain.errors import InvalidConfiguration


class ConnectorKinds(Kinds):
    """Every connector this process can open."""

    def __init__(self, kinds: Iterable[ConnectorKind]) -> None:
        self._by_scheme: dict[tuple[IntegrationKind, str], ConnectorKind] = {}
        for kind in kinds:
            for scheme in kind.schemes:
                self._by_scheme[kind.kind, scheme] = kind

    def add(self, kind: ConnectorKind) -> None:
        """One more; it takes the place of what served its schemes before."""
        for scheme in kind.schemes:
            self._by_scheme[kind.kind, scheme] = kind

    def of(self, integration: Integration) -> ConnectorKind:
        return self.find(integration.kind, integration.scheme)

    def find(self, kind: IntegrationKind, scheme: str) -> ConnectorKind:
        """Raises InvalidConfiguration, which names what is allowed."""
        found = self._by_scheme.get((kind, scheme))
        if found is not None:
            return found
        allowed = self.schemes(kind)
        if not allowed:
            served = ", ".join(sorted({each.value for each, _ in self._by_scheme})) or "none"
            raise InvalidConfiguration(
                f"integrations of type {kind.value} cannot be made here; allowed: {served}", param="type"
            )
        raise InvalidConfiguration(
            f"endpoint: {scheme[:40]!r} is no scheme of type {kind.value}; allowed: "
            + ", ".join(f"{each}://" for each in allowed),
            param="endpoint",
        )

    def schemes(self, kind: IntegrationKind) -> Sequence[str]:
        """What endpoints of this type may begin with, sorted."""
        return sorted(scheme for each, scheme in self._by_scheme if each is kind)
