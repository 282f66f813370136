"""Published events: for each name a JSON Schema and an example, and the envelope around all of them."""

import json
from functools import cache
from importlib import resources
from typing import Any, Final

ENVELOPE: Final = "envelope"


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Schemas of what stands in `data`, by the name of the event. Not to be changed."""
    return {name: found for name, found in _read("").items() if name != ENVELOPE}


@cache
def examples() -> dict[str, dict[str, Any]]:
    """An example of `data` for each. Not to be changed."""
    return {name: found for name, found in _read("examples").items() if name != ENVELOPE}


@cache
def envelope_schema() -> dict[str, Any]:
    """The schema of the envelope. Not to be changed."""
    found: dict[str, Any] = _read("")[ENVELOPE]
    return found


def _read(folder: str) -> dict[str, Any]:
    where = resources.files(__package__)
    found = (where / folder if folder else where).iterdir()
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(found, key=lambda file: file.name)
        if file.name.endswith(".json")
    }
