"""Where a caller's connection comes from."""

from collections.abc import MutableMapping
from typing import Any


def client_address(scope: MutableMapping[str, Any]) -> str:
    """The address of the peer in canonical text; empty where the server does not know it."""
    client = scope.get("client")
    return client[0] if client else ""
