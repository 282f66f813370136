"""What commands make of an OpenAPI document. A part of the composition root: it names an adapter."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.rest.openapi import configuration_of_openapi


def openapi_configuration(
    text: str,
    *,
    endpoint: str,
    authentication: Mapping[str, Any],
    include: Sequence[str],
    exclude: Sequence[str],
) -> tuple[dict[str, Any], Sequence[str]]:
    """A configuration of type `api`, and what was left out, with reasons. May take a second per 64 KiB of
    YAML. Raises InvalidConfiguration."""
    return configuration_of_openapi(
        text, endpoint=endpoint, authentication=authentication, include=include, exclude=exclude
    )
