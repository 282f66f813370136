"""Objects and their content as JSON says them."""

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from application.ports.object_store import ObjectInfo
from domain.errors import InvalidParameters, ToolFailed

_INLINE_BYTES: Final = 256 * 1024
"""What is converted without a thread."""
_TEXT_TYPES: Final = frozenset(
    {"application/xml", "application/yaml", "application/x-ndjson", "application/jsonl"}
    | {"application/javascript", "application/sql", "application/toml", "application/x-yaml"}
)


def moment(microseconds: int) -> str | None:
    """ISO 8601 in UTC; None: nobody knows."""
    if not microseconds:
        return None
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds")


def object_shown(info: ObjectInfo, key: str) -> dict[str, Any]:
    """`key` as callers know it."""
    return {
        "key": key,
        "size_bytes": info.size_bytes,
        "etag": info.etag,
        "modified_at": moment(info.modified_at_us),
        "content_type": info.content_type,
        "metadata": dict(info.metadata),
        "version_id": info.version_id,
        "checksums": {each.algorithm: each.value for each in info.checksums},
    }


async def content_shown(content: bytes, content_type: str, form: str) -> Mapping[str, Any]:
    """`content` and its `encoding`: text, json or base64.

    Raises ToolFailed for content that cannot be said as it was asked for.
    """
    if len(content) <= _INLINE_BYTES:
        return _shown(content, content_type, form)
    return await asyncio.to_thread(_shown, content, content_type, form)


def _shown(content: bytes, content_type: str, form: str) -> Mapping[str, Any]:
    essence = content_type.partition(";")[0].strip().lower()
    if form == "json" or (form == "auto" and (essence == "application/json" or essence.endswith("+json"))):
        try:
            return {"content": _json(content), "encoding": "json"}
        except (ValueError, RecursionError):
            if form == "json":
                raise ToolFailed("the object is no JSON", details={"status": 422}) from None
    if form == "text" or (form == "auto" and (essence.startswith("text/") or essence in _TEXT_TYPES)):
        try:
            return {"content": content.decode(), "encoding": "text"}
        except UnicodeDecodeError:
            if form == "text":
                raise ToolFailed("the object is no UTF-8 text", details={"status": 422}) from None
    return {"content": base64.b64encode(content).decode(), "encoding": "base64"}


def content_bytes(content: Any, encoding: str) -> bytes:
    """What a caller wrote into its parameters. Raises InvalidParameters."""
    param = "parameters.content"
    if encoding != "json" and not isinstance(content, str):
        raise InvalidParameters(
            f"{param}: it must be text; with encoding json it may be any value", param=param
        )
    try:
        if encoding == "json":
            return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return content.encode() if encoding == "text" else base64.b64decode(content, validate=True)
    except ValueError:
        raise InvalidParameters(f"{param}: it is no {encoding}", param=param) from None


def _json(content: bytes) -> Any:
    """Raises ValueError, RecursionError for what no answer of ours could hold."""
    text = content.decode("utf-8-sig")
    value = json.loads(text, parse_constant=_no_number)
    if "\\ud" in text.lower():  # half of a pair is no text
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
