"""Files and batches, in OpenAI's shapes."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.words import Schema, array, integer, maybe, obj, one_of, ref, text
from domain.batch.batch import BatchStatus
from domain.batch.line import ENDPOINTS
from domain.batch.settings import BatchMode

_ID = {"x-request-id": {"$ref": "#/components/headers/x-request-id"}}
_TIME = integer("Unix time in seconds.", minimum=0)


def _answers(schema: Schema, description: str) -> dict[str, Any]:
    return {
        "200": {
            "description": description,
            "headers": _ID,
            "content": {"application/json": {"schema": schema}},
        }
    }


def _operation(operation_id: str, summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "tags": ["Batches"],
        "summary": summary,
        **more,
        "responses": responses,
    }


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": "Its id.", "schema": text()}


def _query(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_AFTER = _query("after", "Only what stands behind this id.", text(maxLength=200))
_FILE = _path("file_id")
_BATCH = _path("batch_id")

BATCH_PATHS: dict[str, Any] = {
    "/v1/files": {
        "post": _operation(
            "uploadFile",
            "Leave a file here, such as the input of a batch",
            {**_answers(ref("File"), "Kept."), **admin_errors(400, 413, 503)},
            requestBody={
                "required": True,
                "content": {"multipart/form-data": {"schema": ref("NewFile")}},
            },
        ),
        "get": _operation(
            "listFiles",
            "Files of the tenant",
            {**_answers(ref("FileList"), "One page."), **admin_errors(400, 503)},
            parameters=[
                _AFTER,
                _query("limit", "At most so many.", integer(minimum=1, maximum=10_000, default=10_000)),
                _query("order", "By when they were made.", one_of(("asc", "desc"))),
                _query("purpose", "Only files of this purpose.", text()),
            ],
        ),
    },
    "/v1/files/{file_id}": {
        "get": _operation(
            "readFile",
            "What is known about a file",
            {**_answers(ref("File"), "It is there."), **admin_errors(404, 503)},
            parameters=[_FILE],
        ),
        "delete": _operation(
            "deleteFile",
            "Delete a file",
            {**_answers(ref("DeletedFile"), "It is gone."), **admin_errors(404, 409, 503)},
            parameters=[_FILE],
        ),
    },
    "/v1/files/{file_id}/content": {
        "get": _operation(
            "readFileContent",
            "The bytes of a file",
            {
                "200": {
                    "description": "As they were sent, or as a batch wrote them.",
                    "content": {"application/octet-stream": {"schema": {}}},
                },
                **admin_errors(404, 503),
            },
            parameters=[_FILE],
        ),
    },
    "/v1/batches": {
        "post": _operation(
            "createBatch",
            "Have all requests of a file answered",
            {**_answers(ref("Batch"), "It will be run."), **admin_errors(400, 413, 503)},
            requestBody={
                "required": True,
                "content": {"application/json": {"schema": ref("NewBatch")}},
            },
        ),
        "get": _operation(
            "listBatches",
            "Batches of the tenant, newest first",
            {**_answers(ref("BatchList"), "One page."), **admin_errors(400, 503)},
            parameters=[
                _AFTER,
                _query("limit", "At most so many.", integer(minimum=1, maximum=100, default=20)),
            ],
        ),
    },
    "/v1/batches/{batch_id}": {
        "get": _operation(
            "readBatch",
            "How a batch is doing",
            {**_answers(ref("Batch"), "As it is now."), **admin_errors(404, 503)},
            parameters=[_BATCH],
        ),
    },
    "/v1/batches/{batch_id}/cancel": {
        "post": _operation(
            "cancelBatch",
            "Begin no further line of a batch",
            {**_answers(ref("Batch"), "It ends once its running lines have."), **admin_errors(404, 503)},
            parameters=[_BATCH],
        ),
    },
}


def _list(name: str) -> Schema:
    return obj(
        {
            "object": text(const="list"),
            "data": array(ref(name)),
            "first_id": maybe(text()),
            "last_id": maybe(text()),
            "has_more": {"type": "boolean"},
        }
    )


BATCH_SCHEMAS: dict[str, Schema] = {
    "NewFile": obj(
        {
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
            "purpose": text("`batch` for the input of a batch."),
            "expires_after[anchor]": text("From when on the time counts.", const="created_at"),
            "expires_after[seconds]": text("After so many seconds it is removed."),
        },
        optional=["expires_after[anchor]", "expires_after[seconds]"],
        example={"file": "…", "purpose": "batch"},
    ),
    "File": obj(
        {
            "id": text(),
            "object": text(const="file"),
            "bytes": integer(minimum=0),
            "created_at": _TIME,
            "expires_at": _TIME,
            "filename": text(),
            "purpose": text(),
            "status": text(const="processed"),
            "status_details": maybe(text()),
        }
    ),
    "FileList": _list("File"),
    "DeletedFile": obj({"id": text(), "object": text(const="file"), "deleted": {"type": "boolean"}}),
    "NewBatch": obj(
        {
            "input_file_id": text("A file of purpose `batch`: one JSON object per line."),
            "endpoint": one_of(ENDPOINTS, "The `url` of every line."),
            "completion_window": text("Lines that are not asked by then expire.", examples=["24h"]),
            "metadata": {
                "type": ["object", "null"],
                "additionalProperties": text(maxLength=512),
                "maxProperties": 16,
                "description": "Yours, but for `interchange_mode` (own, provider, auto), "
                "`interchange_budget_usd`, `interchange_concurrency` and `interchange_retries`.",
            },
        },
        optional=["metadata"],
        example={
            "input_file_id": "file-019",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"interchange_budget_usd": "2.50"},
        },
    ),
    "Batch": obj(
        {
            "id": text(),
            "object": text(const="batch"),
            "endpoint": text(),
            "errors": maybe(
                obj(
                    {
                        "object": text(const="list"),
                        "data": array(
                            obj(
                                {
                                    "code": text(),
                                    "message": text(),
                                    "line": maybe(integer(minimum=1)),
                                    "param": maybe(text()),
                                }
                            )
                        ),
                    }
                )
            ),
            "input_file_id": text(),
            "completion_window": text(),
            "status": one_of(status.value for status in BatchStatus),
            "output_file_id": maybe(text()),
            "error_file_id": maybe(text()),
            "created_at": _TIME,
            "expires_at": _TIME,
            **{
                f"{name}_at": maybe(_TIME)
                for name in (
                    "in_progress",
                    "finalizing",
                    "completed",
                    "failed",
                    "expired",
                    "cancelling",
                    "cancelled",
                )
            },
            "request_counts": obj({name: integer(minimum=0) for name in ("total", "completed", "failed")}),
            "metadata": maybe({"type": "object", "additionalProperties": text()}),
            "interchange": obj(
                {
                    "mode": one_of(mode.value for mode in BatchMode),
                    "answered_by": maybe(text("The target whose provider runs it as a batch of its own.")),
                    "cost_usd": text("What is known of the bill so far, exact."),
                    "uncosted_tries": integer("Tries whose cost is unknown.", minimum=0),
                    "unresolved_tries": integer(
                        "Tries that may have been billed though nobody knows whether they were.", minimum=0
                    ),
                    "budget_usd": maybe(text()),
                    "waiting_for": maybe(text("The budget without room that its lines wait for.")),
                    "stopped_by": maybe(text("Why it ended before all lines were asked.")),
                }
            ),
        }
    ),
    "BatchList": _list("Batch"),
}
