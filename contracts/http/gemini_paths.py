"""The routes in Gemini's shape: the model in the path, under `/v1beta` and `/v1`."""

from typing import Any

from contracts.http.error_answers import LLM_STATUSES, errors, other_refusals
from contracts.http.headers import ON_ANSWERS, REQUEST_HEADERS, RESPONSE_HEADERS
from contracts.http.limit_paths import LIMIT_HEADERS
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, anything, array, integer, number, obj, one_of, ref, text

_ERRORS = ("GeminiError", "ProviderError")
_WISHES = [{"$ref": f"#/components/parameters/{name}"} for name in REQUEST_HEADERS]
_NAME = path_parameter("name", "The model: `provider/model`, a route's name, or what the catalogue knows.")
_KEY = query_parameter("key", "The key, for callers that send it here; a header comes first.", text())
_SAME = "Both spellings of Google's names are read. "


def _answer(schema: Schema, description: str, events: str = "") -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if events:
        content["text/event-stream"] = {"schema": text(events)}
    names = dict.fromkeys(("x-request-id", *ON_ANSWERS, *RESPONSE_HEADERS, *LIMIT_HEADERS))
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": description, "headers": headers, "content": content}


def _call(
    operation_id: str,
    summary: str,
    description: str,
    body: str,
    answer: dict[str, Any],
    *,
    parameters: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    return {
        "post": operation(
            operation_id,
            "Models",
            summary,
            {
                "200": answer,
                **errors(_ERRORS, *LLM_STATUSES, calls=True),
                **other_refusals(),
            },
            parameters=[_NAME, _KEY, *parameters, *_WISHES],
            body=body,
            description=_SAME + description,
        )
    }


def _calls(root: str, suffix: str) -> dict[str, Any]:
    streamed = _answer(
        array(ref("GeminiAnswer")),
        "Partial answers: with `alt=sse` as events, else as the elements of one array.",
        events="`data:` with a partial answer each; the last has `finishReason` and `usageMetadata`.",
    )
    return {
        f"{root}/models/{{name}}:generateContent": _call(
            f"generateContent{suffix}",
            "Content, in Gemini's shape",
            "Answered by any provider that can; see the chat route.",
            "GenerateContentRequest",
            _answer(ref("GeminiAnswer"), "The model's answer."),
        ),
        f"{root}/models/{{name}}:streamGenerateContent": _call(
            f"streamGenerateContent{suffix}",
            "Content as a stream, in Gemini's shape",
            "Events with `alt=sse`, one JSON array without.",
            "GenerateContentRequest",
            streamed,
            parameters=(query_parameter("alt", "How the stream is framed.", one_of(["sse", "json"])),),
        ),
        f"{root}/models/{{name}}:countTokens": _call(
            f"countContentTokens{suffix}",
            "Count the tokens of contents, in Gemini's shape",
            "By the provider where it counts, else estimated, which `x-interchange-estimated` tells.",
            "GeminiCountRequest",
            _answer(ref("GeminiCount"), "The count."),
        ),
        f"{root}/models/{{name}}:embedContent": _call(
            f"embedContent{suffix}",
            "One embedding, in Gemini's shape",
            "Providers are asked for a batch of one.",
            "EmbedContentRequest",
            _answer(ref("GeminiEmbedding"), "The vector."),
        ),
        f"{root}/models/{{name}}:batchEmbedContents": _call(
            f"batchEmbedContents{suffix}",
            "Embeddings, in Gemini's shape",
            "One vector per request, in order.",
            "BatchEmbedContentsRequest",
            _answer(ref("GeminiEmbeddings"), "The vectors."),
        ),
    }


GEMINI_PATHS: dict[str, Any] = {
    **_calls("/v1beta", ""),
    **_calls("/v1", "Stable"),
    "/v1beta/models": {
        "get": operation(
            "listGeminiModels",
            "Models",
            "What this key may call, routes first, in Gemini's shape",
            {
                "200": json_answer(ref("GeminiModelList"), "One page."),
                **errors(("GeminiError",), 400, 401, 403, 429),
            },
            parameters=[
                _KEY,
                query_parameter(
                    "pageSize", "Models of one page, at most 1000; 50 where nothing is said.", integer()
                ),
                query_parameter("pageToken", "`nextPageToken` of the page before.", text()),
            ],
        )
    },
    "/v1beta/models/{name}": {
        "get": operation(
            "readGeminiModel",
            "Models",
            "One model or route, in Gemini's shape",
            {
                "200": json_answer(ref("GeminiModel"), "The model."),
                **errors(("GeminiError",), 401, 403, 404, 429),
            },
            parameters=[_NAME, _KEY],
        )
    },
}

_HELLO = {"role": "user", "parts": [{"text": "hello"}]}
_CONTENT = obj({"role": text("`user` or `model`."), "parts": array(ref("GeminiPart"))}, optional=["role"])
_USAGE = obj(
    {
        "promptTokenCount": integer(minimum=0),
        "candidatesTokenCount": integer("Without thoughts.", minimum=0),
        "thoughtsTokenCount": integer(minimum=0),
        "cachedContentTokenCount": integer("Part of the prompt.", minimum=0),
        "totalTokenCount": integer(minimum=0),
    },
    optional=[
        "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount",
        "totalTokenCount",
    ],
)  # fmt: skip
_VECTOR = obj({"values": array(number())})

GEMINI_SCHEMAS: dict[str, Schema] = {
    "GeminiPart": obj({"text": text()}, optional=["text"], description="Text, media, a call or a result."),
    "GeminiContent": _CONTENT,
    "GenerateContentRequest": obj(
        {
            "contents": array(ref("GeminiContent"), minItems=1),
            "systemInstruction": ref("GeminiContent"),
            "generationConfig": {"type": "object", "description": "Limits, sampling, formats, thinking."},
            "tools": array({"type": "object"}),
        },
        optional=["systemInstruction", "generationConfig", "tools"],
        example={"contents": [_HELLO]},
    ),
    "GeminiCountRequest": obj(
        {"contents": array(ref("GeminiContent"), minItems=1)},
        description="Contents, or a whole request as `generateContentRequest`.",
        example={"contents": [_HELLO]},
    ),
    "EmbedContentRequest": obj(
        {"content": ref("GeminiContent"), "outputDimensionality": integer(minimum=1)},
        optional=["outputDimensionality"],
        example={"content": {"parts": [{"text": "hello"}]}},
    ),
    "BatchEmbedContentsRequest": obj(
        {"requests": array(ref("EmbedContentRequest"), minItems=1)},
        example={"requests": [{"content": {"parts": [{"text": "hello"}]}}]},
    ),
    "GeminiAnswer": obj(
        {
            "candidates": array(anything()),
            "promptFeedback": anything("Why a prompt was refused."),
            "usageMetadata": _USAGE,
            "modelVersion": text(),
            "responseId": text(),
        },
        optional=["candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"],
    ),
    "GeminiCount": obj({"totalTokens": integer(minimum=0)}),
    "GeminiEmbedding": obj({"embedding": _VECTOR, "usageMetadata": _USAGE}, optional=["usageMetadata"]),
    "GeminiEmbeddings": obj(
        {"embeddings": array(_VECTOR), "usageMetadata": _USAGE}, optional=["usageMetadata"]
    ),
    "GeminiModel": obj(
        {
            "name": text("`models/` and the name to ask for."),
            "version": text(),
            "displayName": text(),
            "description": text(),
            "inputTokenLimit": integer(),
            "outputTokenLimit": integer(),
            "supportedGenerationMethods": array(text()),
            "thinking": {"type": "boolean"},
        },
        optional=["description", "inputTokenLimit", "outputTokenLimit", "thinking"],
    ),
    "GeminiModelList": obj(
        {"models": array(ref("GeminiModel")), "nextPageToken": text()}, optional=["nextPageToken"]
    ),
    "GeminiError": obj(
        {
            "error": obj(
                {
                    "code": integer("The HTTP status."),
                    "message": text("For people: what was wrong and what is allowed."),
                    "status": text("The class of the error, in Google's words."),
                    "details": array(
                        anything(),
                        "An `ErrorInfo` with our `code` and `param` in its metadata, and a `RequestInfo`.",
                    ),
                }
            )
        },
        description="An error of Interchange itself, for callers of Gemini's routes.",
    ),
}
