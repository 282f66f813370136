"""What a form says, as the body that a route of the API takes."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from domain.errors import InvalidRequest
from entrypoints.ui.page import KEPT, Act, Field

FORM_BYTES_MAX: Final = 256 * 1024
FIELDS_MAX: Final = 300
KEPT_KINDS: Final = ("query", "kept")
SHOWN: Final = "_shown"
"""The hidden field that names what else had a value when the form was shown, with spaces between."""


def parse_form(content: bytes) -> dict[str, str]:
    """An urlencoded form; of a name that comes twice, its values on lines. Raises InvalidRequest."""
    try:
        pairs = parse_qsl(
            content.decode(), keep_blank_values=True, strict_parsing=bool(content), max_num_fields=FIELDS_MAX
        )
    except (ValueError, UnicodeDecodeError):
        raise InvalidRequest("the form could not be read; send it as the page does", param="body") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        form[name] = f"{form[name]}\n{value}" if name in form else value
    return form


def path_of(act: Act, form: Mapping[str, str]) -> str:
    """The route's path with what the form says of it. Raises InvalidRequest."""
    path = act.path
    for field in act.fields:
        if "{" + field.name + "}" in path:
            value = form.get(field.name, "").strip()
            if not value:
                raise InvalidRequest(f"{field.label} is missing", param=field.name)
            path = path.replace("{" + field.name + "}", quote(value, safe=""))
    return path


def query_of(act: Act, form: Mapping[str, str]) -> str:
    """What goes into the route's query."""
    said = {field.name: form.get(field.name, "") for field in act.fields if field.kind == "query"}
    return urlencode({name: value for name, value in said.items() if value})


def kept_of(act: Act, form: Mapping[str, str]) -> dict[str, str]:
    """What the page was asked for and goes on to show afterwards, as its query."""
    kept = (field.name for field in act.fields if field.kind in KEPT_KINDS)
    return {name: form[name] for name in kept if form.get(name)}


def body_of(act: Act, form: Mapping[str, str]) -> object:
    """The JSON body; fields that are left empty are left out, but for those that were shown with a value and
    say what it means to empty them. None: the act has no body.

    Raises InvalidRequest for what a field cannot mean; everything else the API judges.
    """
    body: dict[str, Any] = {}
    fields = [
        field for field in act.fields if field.kind != "query" and "{" + field.name + "}" not in act.path
    ]
    shown = form.get(SHOWN, "").split()
    for field in fields:
        value = _value(field, form.get(field.name, ""))
        if value is None:
            if field.emptied is KEPT or field.name not in form or field.name not in shown:
                continue
            value = field.emptied
        place = body
        *parents, last = field.name.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        if field.kind == "json" and last == "*":  # a whole object
            place.update(value if isinstance(value, dict) else {})
        else:
            place[last] = value
    if act.shape is not None:
        return act.shape(body)
    return body if fields else None


def _value(field: Field, text: str) -> Any:
    if field.kind == "flag":
        return text in ("1", "on", "true")
    text = text.strip() if field.kind != "area" else text
    if not text:
        if field.required:
            raise InvalidRequest(f"{field.label} is missing", param=field.name)
        return None
    if field.kind == "whole":
        return _whole(field, text)
    if field.kind == "number":
        return _number(field, text)
    if field.kind == "list":
        return [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if field.kind == "json":
        return _json(field, text)
    return text


def _whole(field: Field, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest(f"{field.label} must be a whole number", param=field.name) from None


def _number(field: Field, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):  # JSON has no word for it but null, and that means something else
        raise InvalidRequest(f"{field.label} must be a number", param=field.name)
    return number


def _json(field: Field, text: str) -> Any:
    try:
        return msgspec.json.decode(text)  # strict: neither NaN nor half a character, which cannot be sent on
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{field.label} must be JSON", param=field.name) from None
