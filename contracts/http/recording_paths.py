"""Recorded prompts and answers."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, path_parameter
from contracts.http.words import Schema, array, boolean, maybe, obj, one_of, ref, text

RECORDING_SCHEMAS: dict[str, Schema] = {
    "RecordedContent": obj(
        {
            "request_id": text(),
            "parts": array(
                obj(
                    {
                        "part": one_of(["prompt", "answer"]),
                        "recorded_at": text("ISO time, UTC."),
                        "expires_at": text("From then on it is gone."),
                        "key_id": text(),
                        "user_id": text("As the caller said; empty: nobody."),
                        "dialect": text("Whose words they are, such as `openai.chat`."),
                        "content_type": text(),
                        "truncated": boolean("Only the beginning is kept, or the answer was not finished."),
                        "encoding": one_of(["text", "base64", "unreadable"], "Unreadable: its key is gone."),
                        "content": maybe(text("As the privacy policy left it.")),
                    }
                ),
                "The prompt first.",
            ),
        }
    )
}

RECORDING_PATHS: dict[str, Any] = {
    "/api/v1/requests/{request_id}/content": {
        "get": operation(
            "readRecordedContent",
            "Usage",
            "What was recorded of a request",
            {
                "200": json_answer(ref("RecordedContent"), "The view is in the audit trail."),
                **admin_errors(400, 404, 503),
            },
            parameters=[path_parameter("request_id", "The id in `x-request-id` of its answer.")],
            description="Content is kept only where the configuration asks for it; answers "
            "say so in `x-interchange-recorded`.",
        )
    }
}
