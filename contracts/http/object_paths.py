"""Objects of storage as resources: `/api/v1/integrations/{integration_id}/objects/{key}`."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import boolean, integer, maybe, obj, ref, text

_OBJECT = path_parameter("integration_id", "An integration of type storage.")
_KEY = path_parameter("key", "Of the object, relative to the prefix of the integration; may hold `/`.")
_VERSION = query_parameter("version_id", "An older version, where the store keeps them.", text())
_REFUSALS = (400, 402, 404, 408, 412, 413, 422, 429, 502, 503)


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": text()}


_IF_MATCH = _header("if-match", "Only if the object is still the one with this etag.")

OBJECT_SCHEMAS: dict[str, Any] = {
    "ObjectContent": {
        **text("Any bytes.", contentMediaType="application/octet-stream"),
        "examples": ["hello"],
    },
    "StoredObject": obj(
        {
            "key": text(),
            "size_bytes": integer(),
            "etag": text("Another one whenever the content is another."),
            "modified_at": maybe(text(format="date-time")),
            "content_type": text(),
            "metadata": obj({}, description="Names and texts."),
            "version_id": maybe(text()),
            "checksums": obj({}, description="By algorithm, in hexadecimal."),
        }
    ),
    "DeletedObject": obj(
        {
            "key": text(),
            "deleted": boolean(),
            "version_id": maybe(text("Of the mark that hides older versions.")),
            "marker": boolean("Whether older versions stay."),
        }
    ),
}

OBJECT_PATHS: dict[str, Any] = {
    "/api/v1/integrations/{integration_id}/objects/{key}": {
        "get": operation(
            "readObject",
            "Tools",
            "The bytes of an object",
            {
                "200": {
                    "description": "The whole, as a stream. HEAD gives the headers alone, with metadata.",
                    "content": {"application/octet-stream": {"schema": {}}},
                },
                "206": {
                    "description": "The part that was asked for.",
                    "content": {"application/octet-stream": {"schema": {}}},
                },
                **admin_errors(*_REFUSALS, 416),
            },
            parameters=[
                _OBJECT,
                _KEY,
                _VERSION,
                _header("range", "One range, such as bytes=0-1023."),
                _IF_MATCH,
            ],
            description="The same as the tool `download_object`. A transfer that breaks off ends without an "
            "end mark: compare the length.",
        ),
        "put": {
            **operation(
                "writeObject",
                "Tools",
                "Write an object",
                {
                    "200": json_answer(ref("StoredObject"), "It is there, whole."),
                    **admin_errors(*_REFUSALS),
                },
                parameters=[
                    _OBJECT,
                    _KEY,
                    _IF_MATCH,
                    _header("if-none-match", "`*`: only if there is no such object."),
                    _header("content-digest", "Of the body (RFC 9530), sha-256; another body is refused."),
                ],
                description="The same as the tool `upload_object`. The body is the content, of any size; "
                "its `content-type` is kept, and `x-interchange-meta-…` headers, percent-encoded, are its "
                "metadata. All or nothing.",
            ),
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": ref("ObjectContent")}},
            },
        },
        "delete": operation(
            "deleteObject",
            "Tools",
            "Delete an object",
            {
                "200": json_answer(ref("DeletedObject"), "It is gone, or was before."),
                **admin_errors(*_REFUSALS),
            },
            parameters=[_OBJECT, _KEY, _VERSION, _IF_MATCH],
            description="The same as the tool `delete_object`.",
        ),
    }
}
