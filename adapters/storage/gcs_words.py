"""What Google Cloud Storage says and hears, in our words: errors, descriptions of objects."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.storage.transfer import missing, unmet
from application.ports.http import TransportFailed, TransportStage
from application.ports.object_store import Checksum, ObjectInfo, ObjectVersion, Writing
from domain.errors import (
    ChecksumMismatch,
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    RangeNotSatisfiable,
    ToolFailed,
    ToolRefused,
)

SHA256_NAME: Final = "interchange-sha256"
"""Metadata of ours: Google keeps a CRC32C, and no SHA-256."""
BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
_RATES: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_ACCOUNT: Final = frozenset(
    {"accountDisabled", "accessNotConfigured", "billingDisabled", "UserProjectMissing"}
)
FIELDS: Final = "name,size,generation,updated,timeCreated,contentType,metadata,crc32c,timeDeleted"
"""Of an object, as it is asked for."""


class Refusal(Exception):
    """An answer that is none of those that were hoped for."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.reason = ""
        self.message = ""
        self.wait_s = _seconds(headers.get("retry-after", ""))
        try:
            error: Any = json.loads(body)["error"]
            self.message = str(error.get("message", ""))
            self.reason = str(error["errors"][0].get("reason", ""))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return


def told(error: Exception, what: str) -> InterchangeError:
    """A failed call as an error of the port. `what` is the object, as the message may name it."""
    if isinstance(error, InterchangeError):
        return error
    if isinstance(error, TransportFailed):
        return _unreached(error)
    if isinstance(error, Refusal):
        return _refusal(error, what)
    return ToolFailed("Google answered with what is no answer")


def _unreached(error: TransportFailed) -> InterchangeError:
    if error.stage is TransportStage.REFUSED:
        if error.by_rule:
            return EgressRefused(error.message)
        return InvalidParameters(f"cannot be sent: {error.message}", param="parameters")
    return IntegrationUnavailable(f"Google cannot be asked: {error.message}", retry_after_s=1.0)


def _refusal(error: Refusal, what: str) -> InterchangeError:
    status, reason = error.status, error.reason
    said: dict[str, object] = {"status": status, "upstream_code": reason[:60]}
    if status in BUSY or status >= 500 or reason in _RATES:
        wait_s = 1.0 if error.wait_s is None else error.wait_s
        return IntegrationUnavailable(f"Google is busy or ill ({status})", retry_after_s=wait_s, details=said)
    if status == 404 and "bucket" in error.message.partition(":")[0].lower():
        return IntegrationUnavailable("there is no such bucket", details=said)
    if status in (404, 410):
        return missing(what)
    if status in (304, 412):
        return unmet(f"{what[:200]!r} is not as demanded: it exists, or changed meanwhile")
    if status == 416:
        return RangeNotSatisfiable("the range begins behind the end of the object", details=said)
    if status == 401 or reason in _ACCOUNT:
        return IntegrationUnavailable(f"Google refuses our credential ({reason or status})", details=said)
    if status == 403:
        return ToolFailed(f"our credential may not do this with {what[:200]!r} ({reason})", details=said)
    if 300 <= status < 400:
        return IntegrationUnavailable("the store sends us elsewhere, which is not followed", details=said)
    if status == 413:
        return ToolRefused("Google takes no object that large", details=said)
    if status == 400 and re.search(r"crc32c|md5|hash", error.message, re.IGNORECASE):
        return ChecksumMismatch("bytes were damaged on the way to Google; nothing was written", details=said)
    if status == 400:
        return InvalidParameters(f"Google cannot take it ({reason or status})", details=said)
    return ToolFailed(f"Google refused ({reason or status})", details=said)


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def described(said: Mapping[str, Any]) -> ObjectInfo:
    """A resource of an object. Its generation is its etag and its version: all change together."""
    metadata = said.get("metadata") or {}
    checksums = []
    own = str(metadata.get(SHA256_NAME, ""))
    if re.fullmatch(r"[0-9a-f]{64}", own):
        checksums.append(Checksum("sha256", own))
    if said.get("crc32c"):
        checksums.append(Checksum("crc32c", _hexadecimal(str(said["crc32c"]))))
    generation = str(said["generation"])
    return ObjectInfo(
        key=str(said["name"]),
        size_bytes=int(said.get("size", 0)),
        etag=generation,
        modified_at_us=microseconds(said.get("updated")),
        content_type=str(said.get("contentType") or ""),
        metadata={str(name): str(value) for name, value in metadata.items() if name != SHA256_NAME},
        version_id=generation,
        checksums=tuple(checksums),
    )


def version(said: Mapping[str, Any]) -> ObjectVersion:
    info = described(said)
    return ObjectVersion(
        key=info.key,
        version_id=str(info.version_id),
        latest=not said.get("timeDeleted"),
        deleted=False,
        size_bytes=info.size_bytes,
        etag=info.etag,
        modified_at_us=info.modified_at_us,
    )


def resource(writing: Writing, sha256: str, **more: object) -> dict[str, object]:
    """What an object is to be, besides its content."""
    metadata = {name: value for name, value in writing.metadata.items() if name != SHA256_NAME}
    if sha256:
        metadata[SHA256_NAME] = sha256
    return {"contentType": writing.content_type, "metadata": metadata, **more}


def conditions(writing: Writing, key: str) -> dict[str, str]:
    """As a query says them. Raises PreconditionFailed for an etag that no object of Google has."""
    if writing.only_if_absent:
        return {"ifGenerationMatch": "0"}
    return matching(writing.if_match, key)


def matching(if_match: str | None, key: str) -> dict[str, str]:
    if if_match is None:
        return {}
    etag = if_match.strip('"')
    if not _is_generation(etag) or etag == "0":
        raise unmet(f"{key[:200]!r} is not as demanded: no object here has this etag")
    return {"ifGenerationMatch": etag}


def generation_of(version_id: str | None) -> dict[str, str]:
    """Raises InvalidParameters."""
    if version_id is None:
        return {}
    if not _is_generation(version_id):
        raise InvalidParameters("versions here are numbers", param="parameters.version_id")
    return {"generation": version_id}


def _is_generation(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


def crc32c_text(digest: bytes) -> str:
    """As Google writes it."""
    return base64.b64encode(digest).decode()


def _hexadecimal(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).hex()
    except ValueError:
        return ""


def microseconds(moment: object) -> int:
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp() * 1e6)
    except ValueError:
        return 0
