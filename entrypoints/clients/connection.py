"""Connecting a client: what is changed, the backup that is kept, and the way back.

Beside the client's file stand its backup (`….before-interchange`, the bytes as they were) and a note of what
was changed (`….interchange-undo`). Both may hold keys, so only their owner may read them.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from entrypoints.clients.edits import MISSING, CannotEdit, TextFormat, fingerprint

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
BACKUP_SUFFIX: Final = ".before-interchange"
NOTE_SUFFIX: Final = ".interchange-undo"
PRIVATE: Final = 0o600


class Setting(NamedTuple):
    """A value that shall stand at a path."""

    path: tuple[str, ...]
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What connecting does. `secret` is the key, wherever it goes; `key_file` holds it where the client's own
    file shall not."""

    file: Path
    text_format: TextFormat
    settings: tuple[Setting, ...]
    secret: str = field(repr=False)
    key_file: Path | None = None
    key_id: str = ""
    """Of a key that was made for this client; undoing revokes it."""


class Step(NamedTuple):
    """A file before and after; None: there is none."""

    file: Path
    before: str | None
    after: str | None


def read_text(file: Path) -> str | None:
    """None: no such file. Raises CannotEdit for one that is no text or too large."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise CannotEdit(f"{file} is larger than {FILE_BYTES_MAX} bytes")
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise CannotEdit(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise CannotEdit(f"{file} cannot be read: {error.strerror}") from None


def steps_of(plan: Plan) -> list[Step]:
    """What would change; empty: nothing, the client is connected already. Raises CannotEdit."""
    before = read_text(plan.file)
    after = before or ""
    for setting in plan.settings:
        if plan.text_format.get(after, setting.path) != setting.value if after.strip() else True:
            after = plan.text_format.put(after, setting.path, setting.value)
    steps = [] if after == before else [Step(plan.file, before, after)]
    if plan.key_file is not None:
        kept = read_text(plan.key_file)
        if kept != plan.secret + "\n":
            steps.append(Step(plan.key_file, kept, plan.secret + "\n"))
    return steps


def connect(plan: Plan, steps: Sequence[Step]) -> None:
    """Takes the steps. The first connection's backup stays the backup, however often it is repeated.

    Raises:
        CannotEdit: a file changed since the steps were made, or cannot be written.
    """
    _unchanged(steps)
    note = _read_note(plan.file)
    before = read_text(plan.file)
    if note is None:
        note = {"existed": before is not None, "mode": _mode(plan.file), "changes": [], "untouched": True}
        if before is not None:
            _write(_beside(plan.file, BACKUP_SUFFIX), before, PRIVATE)
    elif before is None or fingerprint(before) != note["after"]:
        note["untouched"] = False
    _note_changes(note, plan, before or "")
    for step in steps:
        assert step.after is not None, "connecting removes no file"
        _write(step.file, step.after, PRIVATE)
    note["after"] = fingerprint(read_text(plan.file))
    note["key_file"] = None if plan.key_file is None else str(plan.key_file)
    note["key_id"] = plan.key_id or note.get("key_id", "")
    _write(_beside(plan.file, NOTE_SUFFIX), json.dumps(note, indent=2) + "\n", PRIVATE)


def _note_changes(note: dict[str, Any], plan: Plan, before: str) -> None:
    """What stood there before the first connection, per path."""
    known = {tuple(change["path"]): change for change in note["changes"]}
    for path, value in plan.settings:
        change = known.get(path)
        if change is None:
            old = plan.text_format.get(before, path) if before.strip() else MISSING
            change = {
                "path": list(path),
                "had": old is not MISSING,
                "before": _packed(None if old is MISSING else old),
                "parent": bool(before.strip()) and _has_parent(plan.text_format, before, path),
            }
            note["changes"].append(change)
        change["ours"] = fingerprint(value)


def _has_parent(text_format: TextFormat, text: str, path: tuple[str, ...]) -> bool:
    return len(path) == 1 or text_format.get(text, path[:-1]) is not MISSING


def is_connected(file: Path) -> bool:
    """Whether there is something to undo."""
    return _read_note(file) is not None


def key_id_of(file: Path) -> str:
    """The key that was made for the client; empty: none."""
    note = _read_note(file)
    return "" if note is None else str(note.get("key_id", ""))


def undo_steps(file: Path, text_format: TextFormat) -> tuple[list[Step], list[str]]:
    """The way back, and what is left alone because somebody changed it since.

    Untouched since, the file becomes exactly what it was. Otherwise only what we set is taken back.

    Raises:
        CannotEdit: it was never connected, or its backup is gone.
    """
    note = _read_note(file)
    if note is None:
        raise CannotEdit(f"{file} was not connected by `interchange connect`: there is nothing to undo")
    now = read_text(file)
    left: list[str] = []
    if now is None:
        steps = []
    elif note["untouched"] and fingerprint(now) == note["after"]:
        before = read_text(_beside(file, BACKUP_SUFFIX)) if note["existed"] else None
        if note["existed"] and before is None:
            raise CannotEdit(f"the backup {_beside(file, BACKUP_SUFFIX)} is gone")
        steps = [Step(file, now, before)]
    else:
        after = _taken_back(now, note["changes"], text_format, left)
        steps = [] if after == now else [Step(file, now, after)]
    key_file = note.get("key_file")
    if key_file and (kept := read_text(Path(key_file))) is not None:
        steps.append(Step(Path(key_file), kept, None))
    return steps, left


def _taken_back(text: str, changes: list[dict[str, Any]], text_format: TextFormat, left: list[str]) -> str:
    for change in reversed(changes):
        path = tuple(change["path"])
        value = text_format.get(text, path)
        if value is MISSING:
            continue
        if fingerprint(value) != change["ours"]:
            left.append(".".join(path))
        elif change["had"]:
            text = text_format.put(text, path, _unpacked(change["before"]))
        else:
            text = text_format.drop(text, path)
            if not change["parent"] and text_format.get(text, path[:-1]) == {}:
                text = text_format.drop(text, path[:-1])
    return text


def undo(file: Path, steps: Sequence[Step]) -> None:
    """Takes the steps back, then removes note and backup. Raises CannotEdit."""
    _unchanged(steps)
    note = _read_note(file) or {}
    for step in steps:
        if step.after is None:
            step.file.unlink(missing_ok=True)
        else:
            _write(step.file, step.after, int(note.get("mode") or PRIVATE))
    for suffix in (NOTE_SUFFIX, BACKUP_SUFFIX):
        _beside(file, suffix).unlink(missing_ok=True)


def _unchanged(steps: Sequence[Step]) -> None:
    for step in steps:
        if read_text(step.file) != step.before:
            raise CannotEdit(f"{step.file} changed meanwhile; nothing was written, try again")


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _read_note(file: Path) -> dict[str, Any] | None:
    text = read_text(_beside(file, NOTE_SUFFIX))
    if text is None:
        return None
    try:
        note = json.loads(text)
    except ValueError:
        note = None
    if not isinstance(note, Mapping) or "changes" not in note:
        raise CannotEdit(f"{_beside(file, NOTE_SUFFIX)} cannot be read; the backup stands beside it")
    return dict(note)


def _mode(file: Path) -> int | None:
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        return None


def _packed(value: Any) -> str:
    """So that a key of the user's does not lie about as readable text twice."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def _unpacked(text: str) -> Any:
    return json.loads(base64.b64decode(text))


def _write(file: Path, text: str, mode: int) -> None:
    """Whole or not at all, through a link to what it points at."""
    target = file.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        draft.chmod(mode)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CannotEdit(f"{file} cannot be written: {error.strerror}") from None
