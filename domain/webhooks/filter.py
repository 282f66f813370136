"""Which events an endpoint wants: by their type, and by what stands in their data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from domain.errors import InvalidConfiguration, InvalidRequest
from domain.events import any_means, check_patterns

EQUALS_MAX: Final = 10
PATH_LENGTH_MAX: Final = 200
TEXT_LENGTH_MAX: Final = 500
_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_NOTHING: Final[Mapping[str, "Scalar"]] = MappingProxyType({})

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """`types` are names such as `cost.budget_alert`, or all below one such as `integration.*`, or `*`.

    `equals` maps a dotted path in the event's data to the value that must stand there. Raises
    InvalidConfiguration, naming the field.
    """

    types: tuple[str, ...] = ("*",)
    equals: Mapping[str, Scalar] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        try:
            check_patterns(self.types, "events")
        except InvalidRequest as error:
            raise InvalidConfiguration(error.message, param=error.param) from None
        if len(self.equals) > EQUALS_MAX:
            raise InvalidConfiguration(f"at most {EQUALS_MAX} fields can be compared", param="filter")
        for path, value in self.equals.items():
            if len(path) > PATH_LENGTH_MAX or not _PATH.fullmatch(path):
                raise InvalidConfiguration(
                    f"filter names {path[:80]!r}; a field is named by its path, such as data_field.inner",
                    param="filter",
                )
            if isinstance(value, str) and len(value) > TEXT_LENGTH_MAX:
                raise InvalidConfiguration(
                    f"a text to compare with has at most {TEXT_LENGTH_MAX} characters", param=f"filter.{path}"
                )

    def wants_type(self, topic: str) -> bool:
        """Whether events of this type are wanted at all."""
        return any_means(self.types, topic)

    def wants(self, topic: str, data: Mapping[str, Any]) -> bool:
        """Whether this event is wanted."""
        return self.wants_type(topic) and all(
            _same(_at(data, path), value) for path, value in self.equals.items()
        )


def _at(data: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; a value no filter can name where nothing does."""
    found: Any = data
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return _NOTHING
        found = found[name]
    return found


def _same(found: Any, wanted: Scalar) -> bool:
    # In Python True is 1; in JSON it is not.
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)
