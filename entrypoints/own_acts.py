"""Entering what a server does of its own accord: starting, and what it takes over from its configuration.

Roles, tenants, budgets and limits stand in the file, too: whoever may write there changes them without asking
at the door.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from application.audit_trail import AuditTrail
from application.use_cases.manage_keys import CreatedKey
from domain.tenancy.role import local_operator
from entrypoints.config.export import differences, effective
from entrypoints.config.loading import LoadedSettings
from entrypoints.live import LiveConfiguration
from entrypoints.version import version

CHANGED_MAX: Final = 50
_NO_FILE: Final = "no file"


async def start_entering(trail: AuditTrail, live: LiveConfiguration, first_key: CreatedKey | None) -> None:
    """Enters that this process begins to serve, with which configuration, and with which first key if it made
    one; from then on also what it takes over.

    Raises StoreUnavailable.
    """
    by, loaded = local_operator(), live.loaded
    live.entering = partial(taking_over, trail)
    if first_key is not None:
        async with trail.act(by, "keys.bootstrap", f"key_id={first_key.key_id}"):
            pass
    details = {"version": version(), "config_sha256": configuration_digest(loaded)}
    async with trail.act(by, "server.start", _file(loaded), details):
        pass


@asynccontextmanager
async def taking_over(
    trail: AuditTrail, running: LoadedSettings, wanted: LoadedSettings
) -> AsyncIterator[None]:
    """Around putting another configuration in force: the names of what differs, never the values.

    Raises StoreUnavailable: it could not be entered, and the body was not run.
    """
    changed = [path for path, _, _ in differences(_shown(running), _shown(wanted))]
    details = {
        "changed": [path[:80] for path in changed[:CHANGED_MAX]],
        "changed_count": len(changed),
        "config_sha256": configuration_digest(wanted),
    }
    async with trail.act(local_operator(), "config.apply", _file(wanted), details):
        yield


def configuration_digest(loaded: LoadedSettings) -> str:
    """SHA-256, hexadecimal, of what `interchange config export` shows, as JSON with sorted names: secrets are
    masked there."""
    text = json.dumps(_shown(loaded), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(loaded: LoadedSettings) -> dict[str, Any]:
    return effective(loaded.settings, loaded.references)


def _file(loaded: LoadedSettings) -> str:
    return _NO_FILE if loaded.config_file is None else loaded.config_file.name
