"""Keys of a folder in the order of their bytes, from any of them on."""

import os
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from adapters.storage.local_folder import PRIVATE, Folder, etag_of
from application.ports.object_store import ObjectInfo
from domain.errors import ToolRefused

_DEPTH_MAX: Final = 512


class Listed(NamedTuple):
    """`info` None: the key is what a delimiter folds together."""

    key: str
    info: ObjectInfo | None


def listed(folder: Folder, prefix: str, *, folded: bool, after: str | None) -> Iterator[Listed]:
    """Everything below `prefix` behind the key `after`. `folded`: what lies below the next `/` is one."""
    below = prefix.rpartition("/")[0]
    steps = below.split("/") if below else []
    if steps and steps[0].lower() == PRIVATE:
        raise ToolRefused(f"keys below {PRIVATE} are kept for Interchange", param="parameters.prefix")
    yield from _below(folder, steps, prefix, folded, after)


def _below(
    folder: Folder, steps: list[str], prefix: str, folded: bool, after: str | None
) -> Iterator[Listed]:
    if len(steps) > _DEPTH_MAX:
        return
    path = "".join(f"{step}/" for step in steps)
    behind = after.encode() if after is not None else None
    for name, info in _entries(folder, steps, path):
        key = path + name
        if not (key.startswith(prefix) or prefix.startswith(key)):
            continue
        if info is not None:
            if key.startswith(prefix) and (behind is None or key.encode() > behind):
                yield Listed(key, info)
        elif folded and key.startswith(prefix):
            if (behind is None or key.encode() > behind) and _holds_any(folder, [*steps, name[:-1]]):
                yield Listed(key, None)
        elif behind is None or key.encode() > behind or behind.startswith(key.encode()):
            yield from _below(folder, [*steps, name[:-1]], prefix, folded, after)


def _holds_any(folder: Folder, steps: list[str]) -> bool:
    path = "".join(f"{step}/" for step in steps)
    return next(_below(folder, steps, path, False, None), None) is not None


def _entries(folder: Folder, steps: list[str], path: str) -> list[tuple[str, ObjectInfo | None]]:
    """Files, and folders with a `/` behind their names, in the order that their keys have."""
    found: list[tuple[str, ObjectInfo | None]] = []
    try:
        with folder.opened(*steps) as opened:
            for entry in _scanned(opened):
                name = entry.name
                if not steps and name.lower() == PRIVATE:
                    continue
                try:
                    name.encode()
                    about = entry.stat(follow_symlinks=False)
                except (UnicodeEncodeError, FileNotFoundError):
                    continue  # no text can name it, or it went meanwhile
                if stat.S_ISDIR(about.st_mode):
                    found.append((f"{name}/", None))
                elif stat.S_ISREG(about.st_mode):
                    found.append((name, described(path + name, about)))
    except (FileNotFoundError, ToolRefused):
        return []
    return sorted(found, key=lambda each: each[0].encode())


def _scanned(opened: int) -> "Iterator[os.DirEntry[str]]":
    with os.scandir(opened) as entries:
        yield from entries


def described(key: str, found: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, found.st_size, etag_of(found), found.st_mtime_ns // 1000)
