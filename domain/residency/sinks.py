"""Everything here that content can end up in, each with the region it is in.

Prompts, answers, their embeddings and files are content. Rows of usage and audit, logs and metrics hold ids
and figures, never content; their place is checked when a tenant is described, not for every request.
"""

from typing import NamedTuple

from domain.errors import ResidencyViolation
from domain.residency.place import Residency


class Sink(NamedTuple):
    """One place that takes content. `region` None: nobody said where it is."""

    name: str
    region: str | None

    def allowed(self, residency: Residency) -> bool:
        return residency.allows(self.region)

    def require(self, residency: Residency, param: str = "data_residency") -> None:
        """Raises ResidencyViolation unless content with this residency may be kept there."""
        if not self.allowed(residency):
            raise ResidencyViolation(
                f"data must stay in {residency}, and {self.name} {self.where}",
                param=param,
                details={"sink": self.name, "region": self.region},
            )

    @property
    def where(self) -> str:
        return f"is in {self.region}" if self.region else "is in a region nobody declared"


class Sinks(NamedTuple):
    """All of them. A new kind of place that takes content gets its field here, and its check."""

    memory: Sink
    """Of the processes: answers kept in memory, models that run here."""
    disk: Sink
    """The data directory: files, batches, kept answers without Redis, vectors."""
    database: Sink
    """Stored responses, recorded prompts."""
    redis: Sink
    """Kept answers and vectors shared by instances."""
    gateway: Sink
    """Instances of the Portkey gateway."""

    def breaches(self, residency: Residency) -> tuple[Sink, ...]:
        """Those that may not take this content."""
        return tuple(sink for sink in self if not sink.allowed(residency))


NOWHERE_KNOWN = Sinks(
    memory=Sink("the memory of this server", None),
    disk=Sink("its data directory", None),
    database=Sink("its database", None),
    redis=Sink("its Redis", None),
    gateway=Sink("the gateway", None),
)


def sinks_in(
    home: str | None, *, database: str | None = None, redis: str | None = None, gateway: str | None = None
) -> Sinks:
    """Sinks of an installation that stands in `home`; what is not said to be elsewhere is there too."""
    return Sinks(
        *(
            sink._replace(region=elsewhere or home)
            for sink, elsewhere in zip(NOWHERE_KNOWN, (None, None, database, redis, gateway), strict=True)
        )
    )
