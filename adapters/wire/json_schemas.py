"""JSON Schemas by `jsonschema-rs`: expressions in linear time, nothing fetched."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.wire.schema_growth import depth_allowed, depth_of
from application.ports.parameter_schemas import ParameterSchemas, SchemaProblem

COMPILED_MAX: Final = 2048
SCHEMA_BYTES_MAX: Final = 256 * 1024
SHOWN_CHARS_MAX: Final = 300


class CompiledParameterSchemas(ParameterSchemas):
    """Remembers the newest compiled ones, by their text. One serves everybody, in one thread."""

    def __init__(self) -> None:
        self._by_object: OrderedDict[int, tuple[Mapping[str, Any], Any, int | None]] = OrderedDict()

    def problem(self, schema: Mapping[str, Any], value: Any, at: str = "parameters") -> SchemaProblem | None:
        validator, depth_max = self._compiled(schema)
        if validator is None:
            return SchemaProblem(at, f"{at} cannot be compared with the schema of this tool")
        if depth_max is not None and depth_of(value, depth_max) > depth_max:
            return SchemaProblem(at, f"{at} may be nested {depth_max} deep for the schema of this tool")
        try:
            if validator.is_valid(value):
                return None
            error = next(iter(validator.iter_errors(value)))
        except (ValueError, RecursionError):
            return SchemaProblem(at, f"{at} cannot be compared with the schema of this tool")
        place = at + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path
        )
        known = _known(schema) if place == at and error.kind.name == "additionalProperties" else ""
        return SchemaProblem(place[:200], f"{place[:200]}: {error.message[:SHOWN_CHARS_MAX]}{known}")

    def unusable(self, schema: Mapping[str, Any]) -> str:
        try:
            depth_allowed(schema)
            _compile(schema)
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
            return str(error)[:SHOWN_CHARS_MAX] or "it is no JSON Schema"
        return ""

    def _compiled(self, schema: Mapping[str, Any]) -> tuple[Any, int | None]:
        """The validator of this very object, which lives as long as it is remembered, and how deep values
        may be nested for it."""
        known = self._by_object.get(id(schema))
        if known is not None and known[0] is schema:
            self._by_object.move_to_end(id(schema))
            return known[1], known[2]
        validator, depth_max = None, None
        try:
            depth_max = depth_allowed(schema)
            validator = _compile(schema)
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
            pass  # `problem` says so to whoever asks
        self._by_object[id(schema)] = (schema, validator, depth_max)
        while len(self._by_object) > COMPILED_MAX:
            self._by_object.popitem(last=False)
        return validator, depth_max


def _known(schema: Mapping[str, Any]) -> str:
    """What there is instead of a name that is not known."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return "; it takes none"
    return f"; known: {', '.join(map(str, properties))}"[:SHOWN_CHARS_MAX]


def _compile(schema: Mapping[str, Any]) -> Any:
    from jsonschema_rs import RegexOptions, validator_for

    text = msgspec.json.encode(schema)
    if len(text) > SCHEMA_BYTES_MAX:
        raise ValueError(f"the schema is over {SCHEMA_BYTES_MAX} bytes")
    return validator_for(text.decode(), pattern_options=RegexOptions(), offline=True)
