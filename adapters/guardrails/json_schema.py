"""JSON schemas by `jsonschema-rs`: drafts 4 to 2020-12, expressions in linear time, nothing fetched."""

from functools import lru_cache
from typing import Any, Final

import msgspec

from application.ports.guardrail import GuardrailFailed, SchemaReader

MISSING: Final = "json_schema guardrails need the package jsonschema-rs: pip install jsonschema-rs"
_VALIDATORS_MAX: Final = 256
_decode: Final = msgspec.json.Decoder().decode


class CompiledSchemas(SchemaReader):
    """Compiles a schema once. Small numbers and texts of an answer never come out of here."""

    def problem(self, schema: str, text: str) -> str:
        validator = _compiled(schema)
        try:
            instance = _decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return "is no JSON"
        try:
            error = next(iter(validator.iter_errors(instance)), None)
        except (ValueError, RecursionError):
            return "cannot be compared with the schema"
        if error is None:
            return ""
        keywords = [part for part in error.schema_path if isinstance(part, str)]
        return f"breaks {keywords[-1]!r} of the schema" if keywords else "breaks the schema"

    def unusable(self, schema: str) -> str:
        try:
            _compiled(schema)
        except GuardrailFailed as failed:
            return (
                MISSING if failed.reason == "no_reader_of_schemas" else "is no JSON schema that can be used"
            )
        return ""


@lru_cache(maxsize=_VALIDATORS_MAX)
def _compiled(schema: str) -> Any:
    try:
        # Loaded when the first schema is used: nobody else needs it.
        from jsonschema_rs import RegexOptions, validator_for
    except ImportError:
        raise GuardrailFailed("no_reader_of_schemas") from None
    try:
        return validator_for(schema, pattern_options=RegexOptions(), offline=True)
    except ValueError:
        raise GuardrailFailed("unusable_schema") from None
