"""What S3 says and hears, in our words: errors, metadata, descriptions of objects."""

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

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

FAILURES: Final = (BotoCoreError, ClientError, InterchangeError, aiohttp.ClientError, OSError)
"""What a call of S3 can end with."""
SHA256_NAME: Final = "interchange-sha256"
"""Metadata of ours: parts are checked one by one, and S3 keeps no digest of a whole that came in parts."""
_MISSING: Final = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404", "NotFound"})
_UNMET: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_DAMAGED: Final = frozenset(
    {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
)
_CREDENTIAL: Final = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
    | {"RequestTimeTooSkewed", "InvalidClientTokenId", "InvalidSecurity", "AuthFailure", "NotSignedUp"}
    | {"UnrecognizedClientException", "AccountProblem"}
)
_REGION: Final = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "Redirect"}
    | {"IllegalLocationConstraintException", "301", "302", "303", "307", "308"}
)
_BUSY: Final = frozenset({"SlowDown", "ServiceUnavailable", "503", "RequestLimitExceeded", "Throttling"})
_MALFORMED: Final = frozenset(
    {"KeyTooLongError", "InvalidArgument", "InvalidPart", "InvalidPartOrder", "EntityTooSmall", "400"}
)
_FORBIDDEN: Final = frozenset({"AccessDenied", "403", "AllAccessDisabled", "Forbidden", "InvalidObjectState"})
_VERSION_GONE: Final = frozenset({"405", "MethodNotAllowed"})
"""What S3 answers about a mark that an object was deleted."""


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def is_bare_refusal(error: Exception) -> bool:
    """A 403 without a body, as answers to HEAD are: it does not say what was refused."""
    return isinstance(error, ClientError) and code_of(error) in ("403", "Forbidden", "")


def told(error: Exception, what: str) -> InterchangeError:
    """A failed call as an error of the port. `what` is the object, as the message may name it."""
    if isinstance(error, InterchangeError):
        return error
    if isinstance(error, ClientError):
        return _refusal(error, what)
    if isinstance(error, ParamValidationError):
        return InvalidParameters("S3 cannot take these parameters")
    if isinstance(error, NoCredentialsError):
        return IntegrationUnavailable("no AWS credentials were found around this process")
    asked = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    where = f" at {asked.netloc.rpartition('@')[2]}" if asked.netloc else ""
    return IntegrationUnavailable(f"S3{where} cannot be asked: {type(error).__name__}", retry_after_s=1.0)


def _refusal(error: ClientError, what: str) -> InterchangeError:
    code = code_of(error)
    metadata = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode") or 0)
    said = {"status": status, "upstream_code": code}
    if code in _MISSING or (code in _VERSION_GONE and status == 405):
        return missing(what, "upload" if code == "NoSuchUpload" else "object")
    if code in _UNMET:
        if metadata.get("RetryAttempts"):
            return ToolFailed(
                "S3 says that the object changed, but an earlier try of ours went unanswered and may be what "
                "changed it: look at it",
                details=said,
            )
        return unmet(f"{what[:200]!r} is not as demanded: it exists, or changed meanwhile")
    if code == "InvalidRange" or status == 416:
        return RangeNotSatisfiable("the range begins behind the end of the object", details=said)
    if code in _DAMAGED:
        return ChecksumMismatch("bytes were damaged on the way to S3; nothing was written", details=said)
    if code == "NoSuchBucket":
        return IntegrationUnavailable("there is no such bucket", details=said)
    if code in _CREDENTIAL:
        return IntegrationUnavailable(f"S3 refuses our credential ({code})", details=said)
    if code in _REGION:
        region = error.response.get("Error", {}).get("Region") or metadata.get("HTTPHeaders", {}).get(
            "x-amz-bucket-region"
        )
        where = f": it is in {str(region)[:40]}" if region else ""
        return IntegrationUnavailable(f"the bucket is in another region{where} (aws_region)", details=said)
    if code in _BUSY or status >= 500:
        return IntegrationUnavailable(f"S3 is busy or ill ({code})", retry_after_s=1.0, details=said)
    if code == "EntityTooLarge":
        return ToolRefused("S3 takes no object that large", details=said)
    if code in _MALFORMED:
        return InvalidParameters(f"S3 cannot take it ({code})", details=said)
    if code in _FORBIDDEN or status == 403:
        return ToolFailed(f"our credential may not do this with {what[:200]!r} ({code})", details=said)
    return ToolFailed(f"S3 refused ({code or status})", details=said)


def sent_metadata(metadata: Mapping[str, str], sha256: str | None) -> dict[str, str]:
    """As headers carry it: what is not plain ASCII as an encoded word of RFC 2047, which S3 itself uses."""
    sent = {name: sent_text(value) for name, value in metadata.items() if name != SHA256_NAME}
    if sha256 is not None:
        sent[SHA256_NAME] = sha256
    return sent


def heard_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    return {
        name.lower(): heard_text(value) for name, value in metadata.items() if name.lower() != SHA256_NAME
    }


def described(key: str, answer: Mapping[str, Any], size_bytes: int | None = None) -> ObjectInfo:
    """An answer about one object. `size_bytes` where the answer is about a part of it."""
    metadata = answer.get("Metadata") or {}
    checksums = []
    own = next((value for name, value in metadata.items() if name.lower() == SHA256_NAME), "")
    theirs = str(answer.get("ChecksumSHA256") or "")
    if theirs and "-" not in theirs and answer.get("ChecksumType") != "COMPOSITE":
        checksums.append(Checksum("sha256", _hexadecimal(theirs)))
    elif re.fullmatch(r"[0-9a-f]{64}", own):
        checksums.append(Checksum("sha256", own))
    version = answer.get("VersionId")
    return ObjectInfo(
        key=key,
        size_bytes=int(answer.get("ContentLength", 0)) if size_bytes is None else size_bytes,
        etag=unquoted(answer.get("ETag")),
        modified_at_us=microseconds(answer.get("LastModified")),
        content_type=str(answer.get("ContentType") or ""),
        metadata=heard_metadata(metadata),
        version_id=None if version in (None, "null") else str(version),
        checksums=tuple(checksums),
    )


def written(
    key: str, answer: Mapping[str, Any], writing: Writing, size_bytes: int, sha256: str
) -> ObjectInfo:
    """What was just written, from the answer to it: our credential may not be good for reading."""
    version = answer.get("VersionId")
    return ObjectInfo(
        key=key,
        size_bytes=size_bytes,
        etag=unquoted(answer.get("ETag")),
        modified_at_us=_answered_at_us(answer),
        content_type=writing.content_type,
        metadata=dict(writing.metadata),
        version_id=None if version in (None, "null") else str(version),
        checksums=(Checksum("sha256", sha256),) if sha256 else (),
    )


def _answered_at_us(answer: Mapping[str, Any]) -> int:
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return microseconds(parsedate_to_datetime(said)) if said else 0
    except ValueError:
        return 0


def _hexadecimal(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).hex()
    except ValueError:
        return ""


def unquoted(etag: object) -> str:
    return str(etag or "").strip('"')


def quoted(etag: str) -> str:
    return f'"{unquoted(etag)}"'


def microseconds(moment: object) -> int:
    return int(moment.timestamp() * 1e6) if isinstance(moment, datetime) else 0
