"""Tokens of people who logged in from the command line: one file of the user's, readable by nobody else."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

FILE: Final = "logins.json"
SERVERS_MAX: Final = 100


class KeptToken(NamedTuple):
    """What one server's login left. Times are seconds since 1970; `refresh_token` may be empty."""

    access_token: str
    refresh_token: str
    expires_at_s: float
    token_url: str
    client_id: str


def tokens_file() -> Path:
    """In the user's configuration directory."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "interchange" / FILE


def kept_token(server: str) -> KeptToken | None:
    """The login at this server; None: there is none."""
    found = _read().get(_name(server))
    try:
        return None if found is None else KeptToken(**found)
    except TypeError:
        return None


def keep_token(server: str, token: KeptToken) -> None:
    """In the place of the one before. Raises OSError."""
    kept = _read()
    kept.pop(_name(server), None)
    kept[_name(server)] = token._asdict()
    while len(kept) > SERVERS_MAX:
        kept.pop(next(iter(kept)))
    _write(kept)


def forget_token(server: str) -> KeptToken | None:
    """What was kept; None: nothing was. Raises OSError."""
    kept = _read()
    found = kept_token(server)
    if kept.pop(_name(server), None) is not None:
        _write(kept)
    return found


def _name(server: str) -> str:
    return server.rstrip("/")


def _read() -> dict[str, Any]:
    try:
        kept = json.loads(tokens_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(kept: dict[str, Any]) -> None:
    """Whole or not at all, and never readable by others in between."""
    file = tokens_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(kept, opened)
    new.replace(file)
