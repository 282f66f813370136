"""The tools of a store: what its policy and its kind allow."""

from typing import Any, Final

from application.ports.object_store import StoreFeatures
from domain.connectors.storage_policy import (
    KEY_BYTES_MAX,
    METADATA_MAX,
    StorageOperation,
    StoragePolicy,
)
from domain.connectors.tool import Tool

LIST: Final = "list_objects"
GET: Final = "get_object"
METADATA: Final = "get_metadata"
DOWNLOAD: Final = "download_object"
PUT: Final = "put_object"
UPLOAD: Final = "upload_object"
COPY: Final = "copy_object"
DELETE: Final = "delete_object"
VERSIONS: Final = "list_versions"
PRESIGN: Final = "presign"
BEGIN: Final = "begin_upload"
PART: Final = "upload_part"
PARTS: Final = "list_parts"
COMPLETE: Final = "complete_upload"
ABORT: Final = "abort_upload"
OCTETS: Final = "application/octet-stream"

Schema = dict[str, Any]
_KEY: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": KEY_BYTES_MAX,
    "description": "Of the object, relative to the prefix of the integration, such as reports/2026.csv.",
}
_VERSION: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 1024}
_ETAG: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "description": "Only if the object is still the one with this etag.",
}
_ABSENT: Final[Schema] = {"type": "boolean", "description": "Only if there is no such object yet."}
_SHA256: Final[Schema] = {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}
_CRC32C: Final[Schema] = {"type": "string", "pattern": "^[0-9a-fA-F]{8}$"}
_RANGE: Final[Schema] = {
    "type": "object",
    "properties": {
        "offset": {"type": "integer", "minimum": 0},
        "length": {"type": "integer", "minimum": 1},
    },
    "required": ["offset"],
    "additionalProperties": False,
}
_METADATA: Final[Schema] = {
    "type": "object",
    "maxProperties": METADATA_MAX,
    "additionalProperties": {"type": "string"},
}
_CONTENT_TYPE: Final[Schema] = {"type": "string", "minLength": 3, "maxLength": 256}
_WRITING: Final[Schema] = {
    "key": _KEY,
    "content_type": _CONTENT_TYPE,
    "metadata": _METADATA,
    "only_if_absent": _ABSENT,
    "if_match": _ETAG,
    "sha256": _SHA256,
    "crc32c": _CRC32C,
}
_PAGE: Final[Schema] = {
    "prefix": {"type": "string", "maxLength": KEY_BYTES_MAX},
    "cursor": {"type": "string", "maxLength": 4096, "description": "As the page before gave it."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
}
_UPLOAD_ID: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 2048}
_OBJECT: Final[Schema] = {
    "type": "object",
    "required": ["key", "size_bytes", "etag"],
    "properties": {
        "key": {"type": "string"},
        "size_bytes": {"type": "integer"},
        "etag": {"type": "string"},
        "modified_at": {"type": ["string", "null"]},
        "content_type": {"type": "string"},
        "metadata": {"type": "object"},
        "version_id": {"type": ["string", "null"]},
        "checksums": {"type": "object"},
    },
}


def _object(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def tools_of(policy: StoragePolicy, features: StoreFeatures) -> tuple[Tool, ...]:
    """Nothing that would be refused anyway."""
    allowed = policy.operations
    found: list[Tool] = []
    if StorageOperation.LIST in allowed:
        found += _listing(features)
    if StorageOperation.READ in allowed:
        found += _reading()
    if StorageOperation.WRITE in allowed:
        found += _writing() + _resuming()
        if StorageOperation.READ in allowed:
            found.append(_copying())
    if StorageOperation.DELETE in allowed:
        found.append(_deleting())
    if StorageOperation.PRESIGN in allowed and features.presigns:
        found.append(_presigning(policy))
    return tuple(found)


def _listing(features: StoreFeatures) -> list[Tool]:
    delimiter = {"enum": ["", "/"], "description": "With / what lies below is folded into prefixes."}
    tools = [
        Tool(
            name=LIST,
            description="Lists objects by the beginning of their keys, a page at a time.",
            parameters=_object({**_PAGE, "delimiter": delimiter}),
            examples=({"prefix": "reports/", "delimiter": "/"},),
            read_only=True,
        )
    ]
    if features.versions:
        tools.append(
            Tool(
                name=VERSIONS,
                description="Lists versions of objects, newest first, with marks of deletion.",
                parameters=_object(_PAGE),
                read_only=True,
            )
        )
    return tools


def _reading() -> list[Tool]:
    named = {"key": _KEY, "version_id": _VERSION}
    form = {
        "enum": ["auto", "text", "json", "base64"],
        "default": "auto",
        "description": "How the content is given; auto looks at its type.",
    }
    return [
        Tool(
            name=GET,
            description="Reads a small object, or a part of one, as text, JSON or base64.",
            parameters=_object({**named, "range": _RANGE, "if_match": _ETAG, "as": form}, "key"),
            examples=({"key": "notes/today.txt"},),
            read_only=True,
        ),
        Tool(
            name=METADATA,
            description="What is known about an object: size, type, etag, metadata, version.",
            parameters=_object(named, "key"),
            result=_OBJECT,
            read_only=True,
        ),
        Tool(
            name=DOWNLOAD,
            description="The bytes of an object of any size, as a stream.",
            parameters=_object({**named, "range": _RANGE, "if_match": _ETAG}, "key"),
            read_only=True,
            cache_ttl_s=0.0,
            streams=frozenset({OCTETS}),
        ),
    ]


def _writing() -> list[Tool]:
    content = {"description": "Text, base64, or for the encoding json any value."}
    encoding = {"enum": ["text", "base64", "json"], "default": "text"}
    return [
        Tool(
            name=PUT,
            description="Writes a small object that stands in the parameters.",
            parameters=_object({**_WRITING, "content": content, "encoding": encoding}, "key", "content"),
            result=_OBJECT,
            examples=({"key": "notes/today.txt", "content": "Hello", "content_type": "text/plain"},),
            idempotent=True,
            destructive=True,
        ),
        Tool(
            name=UPLOAD,
            description="Writes an object of any size from the body of the request.",
            parameters=_object(_WRITING, "key"),
            result=_OBJECT,
            idempotent=True,
            destructive=True,
            takes_body=True,
        ),
    ]


def _resuming() -> list[Tool]:
    begun = {"key": _KEY, "upload_id": _UPLOAD_ID}
    return [
        Tool(
            name=BEGIN,
            description="Begins an upload in parts, which can be taken up after an interruption.",
            parameters=_object({"key": _KEY, "content_type": _CONTENT_TYPE, "metadata": _METADATA}, "key"),
        ),
        Tool(
            name=PART,
            description="Sends one part, numbered from 1; all but the last of one size, of 5 to 16 MiB in "
            "steps of 256 KiB.",
            parameters=_object(
                {
                    **begun,
                    "part_number": {"type": "integer", "minimum": 1, "maximum": 10_000},
                    "sha256": _SHA256,
                    "crc32c": _CRC32C,
                },
                "key",
                "upload_id",
                "part_number",
            ),
            idempotent=True,
            takes_body=True,
        ),
        Tool(
            name=PARTS,
            description="Which parts of an upload have arrived.",
            parameters=_object(begun, "key", "upload_id"),
            read_only=True,
            cache_ttl_s=0.0,
        ),
        Tool(
            name=COMPLETE,
            description="Makes the object of all parts that arrived.",
            parameters=_object(
                {
                    **begun,
                    "size_bytes": {"type": "integer", "minimum": 0},
                    "only_if_absent": _ABSENT,
                    "if_match": _ETAG,
                },
                "key",
                "upload_id",
            ),
            result=_OBJECT,
            destructive=True,
        ),
        Tool(
            name=ABORT,
            description="Gives an upload up and removes its parts.",
            parameters=_object(begun, "key", "upload_id"),
            idempotent=True,
        ),
    ]


def _copying() -> Tool:
    return Tool(
        name=COPY,
        description="Copies an object, with type and metadata, without its bytes passing here.",
        parameters=_object(
            {"from_key": _KEY, "to_key": _KEY, "version_id": _VERSION, "if_match": _ETAG},
            "from_key",
            "to_key",
        ),
        result=_OBJECT,
        idempotent=True,
        destructive=True,
    )


def _deleting() -> Tool:
    return Tool(
        name=DELETE,
        description="Deletes an object, or one version of it; no error when it is gone already.",
        parameters=_object({"key": _KEY, "version_id": _VERSION, "if_match": _ETAG}, "key"),
        idempotent=True,
        destructive=True,
    )


def _presigning(policy: StoragePolicy) -> Tool:
    methods = [
        method
        for method, operation in (("GET", StorageOperation.READ), ("PUT", StorageOperation.WRITE))
        if operation in policy.operations
    ]
    expires = {"type": "integer", "minimum": 1, "maximum": policy.presign_expires_s_max}
    return Tool(
        name=PRESIGN,
        description="An address that reads or writes one object without a credential, for a while. To write, "
        "say type and size: they are part of what is signed.",
        parameters=_object(
            {
                "method": {"enum": methods},
                "key": _KEY,
                "expires_s": expires,
                "content_type": _CONTENT_TYPE,
                "size_bytes": {"type": "integer", "minimum": 0},
                "version_id": _VERSION,
            },
            "method",
            "key",
        ),
        idempotent=True,
    )
