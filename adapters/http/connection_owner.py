"""Who is told when a connection is free or gone."""

from typing import Protocol, TypeVar

Owned = TypeVar("Owned", contravariant=True)


class ConnectionOwner(Protocol[Owned]):
    """The pool, as a connection sees it."""

    def released(self, connection: Owned) -> None:
        """The exchange ended cleanly; the connection can serve another."""
        ...

    def lost(self, connection: Owned) -> None:
        """The connection is of no further use; told exactly once, at once."""
        ...
