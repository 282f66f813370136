"""Who is told when a connection is free or gone."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from adapters.http.connection import Connection


class ConnectionOwner(Protocol):
    """The pool, as a connection sees it."""

    def released(self, connection: "Connection") -> None:
        """The exchange ended cleanly; the connection can serve another."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection is of no further use; told exactly once, at once."""
        ...
