"""What Azure Blob Storage says and hears, in our words: errors, metadata, descriptions of objects."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from adapters.storage.header_text import heard_text, sent_text
from adapters.storage.transfer import missing, unmet
from application.ports.object_store import Checksum, ObjectInfo, Writing
from domain.errors import (
    ChecksumMismatch,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    RangeNotSatisfiable,
    ToolFailed,
    ToolRefused,
)

FAILURES: Final = (AzureError, InterchangeError, OSError, ValueError)
"""What a call of the SDK can end with."""
SHA256_NAME: Final = "interchange_sha256"
"""Metadata of ours: Azure keeps no SHA-256 of what it stores."""
_CODED: Final = "interchange_x_"
"""Names of metadata have to be identifiers of C#: others are coded behind this."""
_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
_UNTOUCHED: Final = frozenset({429, 503})
"""Nothing was done."""
_WAIT_S: Final = 0.2
_WAIT_S_MAX: Final = 5.0
_MISSING: Final = frozenset({"BlobNotFound", "ResourceNotFound", "CannotVerifyCopySource"})
_CONTAINER: Final = frozenset(
    {"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled", "AccountIsDisabled"}
)
_UNMET: Final = frozenset(
    {"ConditionNotMet", "BlobAlreadyExists", "TargetConditionNotMet", "SourceConditionNotMet"}
)
_DAMAGED: Final = frozenset({"Md5Mismatch", "InvalidMd5", "Crc64Mismatch"})
_CREDENTIAL: Final = frozenset(
    {
        "AuthenticationFailed",
        "InvalidAuthenticationInfo",
        "AuthorizationFailure",
        "NoAuthenticationInformation",
    }
    | {"KeyBasedAuthenticationNotPermitted", "PublicAccessNotPermitted", "AuthorizationSourceIPMismatch"}
    | {"AuthorizationProtocolMismatch", "AuthorizationServiceMismatch"}
)
_FORBIDDEN: Final = frozenset(
    {"AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch", "InsufficientAccountPermissions"}
    | {"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "BlobArchived", "LeaseIdMissing"}
)
_RACED: Final = frozenset({"InvalidBlockList", "InvalidBlobOrBlock"})


def code_of(error: HttpResponseError) -> str:
    """Azure's own word for it; also in answers without a body."""
    found = getattr(error, "error_code", None)
    if found is None:
        found = _header(error, "x-ms-error-code")
    return str(getattr(found, "value", found) or "")


def _header(error: HttpResponseError, name: str) -> str:
    headers: Any = getattr(error.response, "headers", None) or {}
    return str(headers.get(name) or "")


def again_s(error: Exception, tried: int, *, repeat: bool) -> float | None:
    """How long to wait before sending it again; None: not at all."""
    if isinstance(error, HttpResponseError) and error.status_code:
        if error.status_code not in (_BUSY if repeat else _UNTOUCHED):
            return None
        wait_s = _asked_to_wait_s(error)
        wait_s = _WAIT_S * tried if wait_s is None else wait_s
        return wait_s if wait_s <= _WAIT_S_MAX else None
    if isinstance(error, AzureError) and not isinstance(error, ServiceRequestError):
        return _WAIT_S * tried if repeat else None
    return None


def told(error: Exception, what: str) -> InterchangeError:
    """A failed call as an error of the port. `what` is the object, as the message may name it."""
    if isinstance(error, InterchangeError):
        return error
    if isinstance(error, HttpResponseError) and error.status_code:
        return _refusal(error, what, error.status_code)
    if isinstance(error, ValueError):
        return ToolFailed("Azure's client can make nothing of what was asked or answered")
    why = type(error).__name__
    if isinstance(error, ServiceRequestError):
        # The client's own words may hold an address with its signature.
        why = "no connection can be made to the account's address, or to service_url where that is set"
    return IntegrationUnavailable(f"Azure cannot be asked: {why}", retry_after_s=1.0)


def _refusal(error: HttpResponseError, what: str, status: int) -> InterchangeError:
    code = code_of(error)
    said: dict[str, object] = {"status": status, "upstream_code": code}
    if code in _CONTAINER:
        return IntegrationUnavailable("there is no such container, or it is switched off", details=said)
    if code in _UNMET or (status == 412 and code not in _FORBIDDEN):
        return unmet(f"{what[:200]!r} is not as demanded: it exists, or changed meanwhile")
    if code in _MISSING or (status == 404 and code not in _CREDENTIAL):
        return missing(what)
    if status == 416:
        return RangeNotSatisfiable("the range begins behind the end of the object", details=said)
    if code in _DAMAGED:
        return ChecksumMismatch("bytes were damaged on the way to Azure; nothing was written", details=said)
    if code in _CREDENTIAL or status == 401:
        return IntegrationUnavailable(f"Azure refuses our credential ({code or status})", details=said)
    if code in _FORBIDDEN or status == 403:
        return ToolFailed(f"our credential may not do this with {what[:200]!r} ({code})", details=said)
    if 300 <= status < 400:
        return IntegrationUnavailable("the store sends us elsewhere, which is not followed", details=said)
    if status in _BUSY or status >= 500:
        wait_s = _asked_to_wait_s(error)
        return IntegrationUnavailable(
            f"Azure is busy or ill ({code or status})",
            retry_after_s=1.0 if wait_s is None else wait_s,
            details=said,
        )
    if code in _RACED:
        return ToolFailed(
            f"something else was written to {what[:200]!r} meanwhile, which drops the blocks of this upload",
            details=said,
        )
    if status == 413:
        return ToolRefused("Azure takes no object that large", details=said)
    if status == 400:
        return InvalidParameters(f"Azure cannot take it ({code or status})", details=said)
    return ToolFailed(f"Azure refused ({code or status})", details=said)


def _asked_to_wait_s(error: HttpResponseError) -> float | None:
    said = _header(error, "retry-after")
    return float(said) if said.isascii() and said.isdigit() else None


def sent_metadata(metadata: Mapping[str, str], sha256: str) -> dict[str, str]:
    """As headers carry it."""
    sent = {_sent_name(name): sent_text(value) for name, value in metadata.items() if name != SHA256_NAME}
    if sha256:
        sent[SHA256_NAME] = sha256
    return sent


def heard_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {
        _heard_name(name.lower()): heard_text(value)
        for name, value in (metadata or {}).items()
        if name.lower() != SHA256_NAME
    }


def _sent_name(name: str) -> str:
    if "-" not in name and not name.startswith(_CODED):
        return name
    return _CODED + name.replace("_", "_5f").replace("-", "_2d")


def _heard_name(name: str) -> str:
    if not name.startswith(_CODED):
        return name
    return name[len(_CODED) :].replace("_2d", "-").replace("_5f", "_")


def described(key: str, properties: Any, size_bytes: int | None = None) -> ObjectInfo:
    """Properties of one object. `size_bytes` where they came with a part of it."""
    metadata = {str(name): str(value) for name, value in (properties.metadata or {}).items()}
    own = next((value for name, value in metadata.items() if name.lower() == SHA256_NAME), "")
    settings = properties.content_settings
    return ObjectInfo(
        key=key,
        size_bytes=int(properties.size or 0) if size_bytes is None else size_bytes,
        etag=unquoted(properties.etag),
        modified_at_us=microseconds(properties.last_modified),
        content_type=str((settings.content_type if settings is not None else "") or ""),
        metadata=heard_metadata(metadata),
        version_id=_version_of(getattr(properties, "version_id", None)),
        checksums=(Checksum("sha256", own),) if _is_sha256(own) else (),
    )


def written(
    key: str, answer: Mapping[str, Any], writing: Writing, size_bytes: int, sha256: str
) -> ObjectInfo:
    """What was just written, from the answer to it: our credential may not be good for reading."""
    return ObjectInfo(
        key=key,
        size_bytes=size_bytes,
        etag=unquoted(answer.get("etag")),
        modified_at_us=microseconds(answer.get("last_modified")),
        content_type=writing.content_type,
        metadata=dict(writing.metadata),
        version_id=_version_of(answer.get("version_id")),
        checksums=(Checksum("sha256", sha256),) if sha256 else (),
    )


def _version_of(found: object) -> str | None:
    return None if not found else str(found)


def _is_sha256(text: str) -> bool:
    return len(text) == hashlib.sha256().digest_size * 2 and set(text) <= set("0123456789abcdef")


def unquoted(etag: object) -> str:
    return str(etag or "").strip('"')


def quoted(etag: str) -> str:
    return f'"{unquoted(etag)}"'


def microseconds(moment: object) -> int:
    return int(moment.timestamp() * 1e6) if isinstance(moment, datetime) else 0
