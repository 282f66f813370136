"""The configuration in force as plain data that can be shown, compared, and read again.

Secrets never stand in it: a value that came from a variable shows the variable (`${NAME}`), any other
secret shows asterisks.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from entrypoints.config.problems import ConfigPath
from entrypoints.config.root import Settings
from entrypoints.config.validation import SECRET_KEYS
from entrypoints.config.vault_section import REFERENCE_KEY

MASK: Final = "**********"
_USER_INFO: Final = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
_PROOF_IN_QUERY: Final = re.compile(
    r"(?i)(?<=[?&])((?:[\w.-]{0,40}(?:key|token|secret|sig|code|password|auth)[\w.-]{0,40})=)[^&#\s]+"
)


def effective(
    settings: Settings, references: Mapping[ConfigPath, str], *, everything: bool = False
) -> dict[str, Any]:
    """The configuration in the file's shape; `everything` adds the defaults of keys nobody gave."""
    data: dict[str, Any] = settings.model_dump(mode="json", exclude_unset=not everything)
    shown = _shown(data, (), references)
    assert isinstance(shown, dict)
    return shown


def _shown(value: Any, path: ConfigPath, references: Mapping[ConfigPath, str]) -> Any:
    written = references.get(path)
    if written is not None:
        return written
    if isinstance(value, dict):
        return {name: _shown(inner, (*path, name), references) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner, (*path, place), references) for place, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if path[-1:] == (REFERENCE_KEY,):
        return value  # the name of a secret
    if value and value != MASK and any(part in SECRET_KEYS for part in path) and "://" not in value:
        # A key of that name that no type marks as secret: better a mask too many.
        value = value if _is_name(path) else MASK
    return _PROOF_IN_QUERY.sub(rf"\1{MASK}", _USER_INFO.sub(MASK, value)).replace("${", "$${")


def _is_name(path: ConfigPath) -> bool:
    """Whether the secret-sounding part of a path is somebody's own name for a provider, route or model, or
    the `key` a limit counts by, which is a key's public id."""
    if path[0] in ("budgets", "rate_limits") and "scope" in path[2:3]:
        return True
    return not any(part in SECRET_KEYS for part in path[2:]) and path[0] in (
        "providers",
        "routes",
        "budgets",
        "rate_limits",
    )


def flat(data: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Every leaf by its path; lists count as leaves."""
    leaves: dict[str, Any] = {}
    for name, value in data.items():
        inner = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, inner)
        else:
            leaves[inner] = value
    return leaves


def differences(running: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(path, running, wanted) of every leaf that differs; None where one of them has none."""
    ours, theirs = flat(running), flat(wanted)
    return [
        (path, ours.get(path), theirs.get(path))
        for path in dict.fromkeys((*ours, *theirs))
        if ours.get(path) != theirs.get(path)
    ]
