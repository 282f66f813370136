"""Routes made through the API, read as the file's `routes` section would be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from application.ports.routes import StoredRoute
from domain.errors import InvalidRequest
from entrypoints.config.problems import path_text
from entrypoints.config.route_sections import RouteSettings
from entrypoints.config.validation import errors_of, path_of, sentence

ROUTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,126}")
"""The same names as in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRoutes:
    """Sections by name. `problems` tells of stored routes that this version cannot read."""

    sections: Mapping[str, RouteSettings] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def trying(self, name: str, section: RouteSettings) -> "ApiRoutes":
        """The same with one route added or replaced."""
        return ApiRoutes(sections={**self.sections, name: section}, problems=self.problems)


def route_section(name: str, body: bytes | str) -> RouteSettings:
    """The section a body describes.

    Raises:
        InvalidRequest: with the field's path, what is wrong and what is allowed.
    """
    if not ROUTE_NAME.fullmatch(name):
        raise InvalidRequest(
            "a route's name must be 1-127 letters, digits, dots, colons, dashes and underscores, starting "
            "with a letter or digit",
            param="name",
        )
    try:
        return RouteSettings.model_validate_json(body)
    except ValidationError as error:
        found = errors_of(error)
        details = found[0]
        # The sentences know the fields of the whole configuration by their full path.
        details["loc"] = ("routes", name, *details["loc"])
        param = path_text(path_of(details)[2:])
        raise InvalidRequest(
            f"{param or 'body'}: {sentence(details, written=None)}", param=param or "body"
        ) from None


def read_routes(stored: Sequence[StoredRoute]) -> ApiRoutes:
    """What of the stored routes can be used; the rest is told, not refused: it was fine when it was put."""
    sections: dict[str, RouteSettings] = {}
    problems: list[str] = []
    for route in stored:
        try:
            sections[route.name] = route_section(route.name, route.body)
        except InvalidRequest as error:
            problems.append(f"route {route.name!r} made through the API cannot be used: {error.message}")
    return ApiRoutes(sections=sections, problems=tuple(problems))
