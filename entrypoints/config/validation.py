"""Turns a model's validation errors into sentences with a place.

Values are shown only when they were written in the file in plain sight and are not secrets.
"""

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from entrypoints.config.problems import ConfigPath
from entrypoints.config.root import Settings
from entrypoints.config.sections import Section

SECRET_KEYS: Final = frozenset(
    {"api_key", "key", "headers", "database_url", "redis_url", "redis_cluster_urls"}
    | {"client_secret", "identity_header", "credentials_json", "l2_key", "proxy", "token"}
)
_PLAIN_MESSAGES: Final = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "bool_parsing": "must be true or false (on/off, yes/no also)",
    "bool_type": "must be true or false (on/off, yes/no also)",
    "string_type": "must be text",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping (key: value)",
    "mapping_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
}
_BOUNDS: Final = {
    "greater_than": ("must be greater than {}", "gt"),
    "greater_than_equal": ("must be at least {}", "ge"),
    "less_than": ("must be less than {}", "lt"),
    "less_than_equal": ("must be at most {}", "le"),
    "too_short": ("must have at least {} entries", "min_length"),
    "too_long": ("must have at most {} entries", "max_length"),
    "string_too_short": ("must have at least {} characters", "min_length"),
    "string_too_long": ("must have at most {} characters", "max_length"),
    "enum": ("must be one of {}", "expected"),
    "literal_error": ("must be one of {}", "expected"),
}
_PATTERNS: Final = {
    r"^https?://": "must be an http:// or https:// address",
    r"^[^/\s]+/\S+$": "must be `provider/model`",
    r"^\d{4}-": "must be a date, YYYY-MM-DD",
    r"^[a-z0-9][a-z0-9-]": "must be lower-case letters, digits and dashes",
    r"^[a-z0-9][a-z0-9_-]": "must be lower-case letters, digits, dashes and underscores",
    r"^[a-z0-9]": "must be lower-case letters, digits, dots, dashes and underscores",
    r"^[A-Za-z0-9]": "must be letters, digits, dots, dashes and underscores, starting with a letter or digit",
}


def path_of(error: ErrorDetails) -> ConfigPath:
    """Where the error stands; an error about a mapping's key stands at that key."""
    return tuple(part for part in error["loc"] if part != "[key]")


def sentence(error: ErrorDetails, *, written: object) -> str:
    """What is wrong, and what is allowed instead. `written` is the text to quote; None: quote nothing."""
    kind, path = error["type"], path_of(error)
    if kind == "extra_forbidden":
        return unknown_key(str(path[-1]), allowed_keys(path[:-1]))
    if kind == "missing":
        return "is required"
    text = _text(kind, error.get("ctx", {}), error["msg"])
    if "[key]" in error["loc"]:
        text, written = f"this name {text}", str(path[-1])
    secret = any(part in SECRET_KEYS for part in path)
    quotable = not secret and kind not in ("value_error", "too_short", "too_long")
    if quotable and isinstance(written, str) and len(written) <= 80:
        text += f", not {written!r}"
    return text


def _text(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in _PLAIN_MESSAGES:
        return _PLAIN_MESSAGES[kind]
    if kind in _BOUNDS:
        template, key = _BOUNDS[kind]
        return template.format(context.get(key))
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        for start, meaning in _PATTERNS.items():
            if pattern.startswith(start):
                return meaning
        return f"must match {pattern}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", message))
    return message[:1].lower() + message[1:]


def unknown_key(key: str, allowed: tuple[str, ...]) -> str:
    """Names the nearest allowed key when there is one that is near."""
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key{hint} (allowed: {', '.join(allowed)})"


def allowed_keys(path: ConfigPath) -> tuple[str, ...]:
    """Keys of the section at this path; empty where keys are free."""
    section = section_at(path)
    return () if section is None else tuple(section.model_fields)


def section_at(path: ConfigPath) -> type[Section] | None:
    """The model that reads the mapping at this path; None where there is none."""
    here: Any = Settings
    for part in path:
        if isinstance(here, type) and issubclass(here, Section):
            field = here.model_fields.get(str(part))
            if field is None:
                return None
            here = _bare(field.annotation)
            continue
        arguments = get_args(here)
        if not arguments:
            return None
        here = _bare(arguments[1] if get_origin(here) is dict else arguments[0])
    return here if isinstance(here, type) and issubclass(here, Section) else None


def _bare(annotation: Any) -> Any:
    """Without `Annotated` and without `| None`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = next(a for a in get_args(annotation) if a is not type(None))
        else:
            return annotation


def errors_of(error: ValidationError) -> list[ErrorDetails]:
    """The errors of one validation, without a list's length where its entries are wrong already."""
    every = error.errors(include_url=False)
    paths = [path_of(details) for details in every]

    def follows_from_another(details: ErrorDetails) -> bool:
        path = path_of(details)
        return details["type"] == "too_short" and any(
            len(other) > len(path) and other[: len(path)] == path for other in paths
        )

    return [details for details in every if not follows_from_another(details)]
