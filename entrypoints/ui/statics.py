"""Files of the pages: named by their content, so that browsers keep them for ever."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    """By name below the folder; what is there when the process first asks."""
    return {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }


@lru_cache(maxsize=256)
def _digest(name: str) -> str:
    return hashlib.sha256(_files()[name]).hexdigest()[:16]


def has(name: str) -> bool:
    """Whether there is such a file: libraries may not be installed."""
    return name in _files()


def url(name: str) -> str:
    """Where a file is, with what tells its content."""
    return f"/ui/static/{name}?v={_digest(name)}" if has(name) else f"/ui/static/{name}"


def file_response(name: str, version: str | None) -> Response:
    """A file; kept by browsers when they asked for just this content."""
    content = _files().get(name)
    if content is None:
        return Response("there is no such file\n", 404, media_type="text/plain")
    kept = _FOR_EVER if version == _digest(name) else "no-cache"
    return Response(
        content,
        headers={
            "content-type": _TYPES[Path(name).suffix],
            "cache-control": kept,
            "x-content-type-options": "nosniff",
        },
    )
