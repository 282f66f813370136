"""Which changes of the file a running server takes over, and how it notices that there are any.

The environment is read once, when the process starts: a changed variable needs a restart.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from entrypoints.config.loading import LoadedSettings, load_settings
from entrypoints.config.root import Settings

RELOADED: Final = frozenset(
    {
        "providers",
        "routes",
        "routing",
        "breaker",
        "health",
        "cache.mode",
        "cache.ttl_s",
        "cache.similarity_threshold",
        "cache.error_rate",
        "budgets",
        "rate_limits",
        "experiments",
        "guards",
        "tenants",
        "roles",
        "integrations",
        "webhooks.endpoints",
        "identity",
        "budget_alert_threshold",
        "portkey.gateways",
        "limits.provider_timeout_s",
        "egress.allow",
        "egress.deny",
        "egress.private",
    }
)
"""Sections and keys that change while requests run. Whatever is not here needs a restart."""


class FileState(NamedTuple):
    """What tells that a file is another one than before; None where there is none."""

    inode: int | None
    size_bytes: int | None
    modified_ns: int | None


def state_of(file: Path) -> FileState:
    """Follows links, so that a link put elsewhere counts as a change."""
    try:
        status = os.stat(file)  # noqa: PTH116 - one call on a path that may be a link
    except OSError:
        return FileState(None, None, None)
    return FileState(status.st_ino, status.st_size, status.st_mtime_ns)


class Merged(NamedTuple):
    """What a server can run on now, and which changed keys wait for a restart."""

    settings: Settings
    needs_restart: tuple[str, ...]


def merged(running: Settings, wanted: Settings) -> Merged:
    """The wanted configuration where it can be taken over, the running one elsewhere."""
    kept: dict[str, Any] = {}
    waiting: list[str] = []
    for name in Settings.model_fields:
        old, new = getattr(running, name), getattr(wanted, name)
        if name in RELOADED or old == new:
            continue
        inner = _reloaded_within(name)
        if not inner:
            kept[name] = old
            waiting.append(name)
            continue
        changed = [
            key
            for key in type(old).model_fields
            if key not in inner and getattr(old, key) != getattr(new, key)
        ]
        if changed:
            kept[name] = new.model_copy(update={key: getattr(old, key) for key in changed})
            waiting.extend(f"{name}.{key}" for key in changed)
    return Merged(wanted.model_copy(update=kept), tuple(waiting))


def _reloaded_within(section: str) -> frozenset[str]:
    return frozenset(path.partition(".")[2] for path in RELOADED if path.startswith(f"{section}."))


def read_again(loaded: LoadedSettings) -> LoadedSettings:
    """The same sources once more: the file as it now is, environment and flags as they were.

    Raises ConfigError.
    """
    return load_settings(loaded.environ, config_path=loaded.config_file)


def restart_only() -> Iterator[str]:
    """Names of the sections and keys that are not taken over."""
    for name, field in Settings.model_fields.items():
        if name in RELOADED:
            continue
        inner = _reloaded_within(name)
        kind: Any = field.annotation
        if inner:
            yield from (f"{name}.{key}" for key in kind.model_fields if key not in inner)
        else:
            yield name
