"""The published HTTP interface, as an OpenAPI 3.1 document."""

from typing import Any


def openapi_document() -> dict[str, Any]:
    """The whole document; a new one each time."""
    return {"openapi": "3.1.0", "info": {"title": "Interchange", "version": "0.1.0"}, "paths": {}}
