"""JSON Schemas of parameters and answers, compiled once; nothing is fetched for them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from jsonschema_rs import RegexOptions, validator_for

from adapters.wire.schema_growth import depth_allowed, depth_of
from domain.errors import ToolFailed

SCHEMA_BYTES_MAX: Final = 256 * 1024


class AnswerSchema:
    """What an answer has to be."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises ValueError for what is no schema that can be used."""
        self._validator = compiled(schema)
        self._depth_max = depth_allowed(schema)

    def check(self, value: Any) -> None:
        """Raises ToolFailed; it names the place and the rule, never a value."""
        if self._depth_max is not None and depth_of(value, self._depth_max) > self._depth_max:
            raise ToolFailed("the answer is nested too deeply for its schema")
        try:
            error = next(iter(self._validator.iter_errors(value)), None)
        except (ValueError, RecursionError):
            raise ToolFailed("the answer cannot be compared with its schema") from None
        if error is None:
            return
        place = ".".join(str(part) for part in error.instance_path) or "it"
        rules = [part for part in error.schema_path if isinstance(part, str)]
        rule = repr(rules[-1]) if rules else "it"
        raise ToolFailed(f"the answer is not what its schema promises: {place[:200]} breaks {rule}")


def compiled(schema: Mapping[str, Any]) -> Any:
    """Raises ValueError."""
    if len(msgspec.json.encode(schema)) > SCHEMA_BYTES_MAX:
        raise ValueError(f"is larger than {SCHEMA_BYTES_MAX} bytes")
    try:
        depth_allowed(schema)
        return validator_for(dict(schema), pattern_options=RegexOptions(), offline=True)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON Schema that can be used; references lead only into itself") from None
