"""Every operation of the API as an attacker reads it: what can be named, filled in and sent.

Taken from the OpenAPI document, so that a new route is attacked from the day it is documented.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx

from contracts.http.openapi import openapi_document
from tests.e2e.stack import Stack

OPENAPI: Final = openapi_document()
NOBODY: Final = "none-such"
_WORDS: Final = [{"role": "user", "content": "hello"}]
_CONTENTS: Final = [{"role": "user", "parts": [{"text": "hello"}]}]
_MODEL: Final = "both"

Path = tuple[str | int, ...]

BODIES: Final[dict[str, Any]] = {
    "JsonRpc": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
    "ObjectContent": {},
    "CompleteRequest": {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"messages": _WORDS},
        "context": {"agent_id": "a", "tenant_id": "default"},
    },
    "ChatCompletionRequest": {"model": _MODEL, "messages": _WORDS},
    "TextCompletionRequest": {"model": _MODEL, "prompt": "hello"},
    "EmbeddingsRequest": {"model": _MODEL, "input": "hello"},
    "MessagesRequest": {"model": _MODEL, "max_tokens": 9, "messages": _WORDS},
    "CountTokensRequest": {"model": _MODEL, "messages": _WORDS},
    "ResponsesRequest": {"model": _MODEL, "input": "hello"},
    "GenerateContentRequest": {"contents": _CONTENTS},
    "GeminiCountRequest": {"contents": _CONTENTS},
    "EmbedContentRequest": {"content": _CONTENTS[0]},
    "BatchEmbedContentsRequest": {"requests": [{"model": "models/both", "content": _CONTENTS[0]}]},
    "ModerationRequest": {"model": _MODEL, "input": "hello"},
    "RerankRequest": {"model": _MODEL, "query": "q", "documents": ["d"]},
    "ImageRequest": {"model": _MODEL, "prompt": "p"},
    "SpeechRequest": {"model": _MODEL, "input": "i", "voice": "v"},
    "ImageEditForm": {"model": _MODEL, "prompt": "p", "image": "i"},
    "ImageVariationForm": {"model": _MODEL, "image": "i"},
    "TranscriptionForm": {"model": _MODEL, "file": "f"},
    "TranslationForm": {"model": _MODEL, "file": "f"},
    "NewFile": {"file": '{"custom_id": "a"}', "purpose": "batch"},
    "NewBatch": {"input_file_id": NOBODY, "endpoint": "/v1/responses", "completion_window": "24h"},
    "KeyLogin": {"key": NOBODY},
    "KeyLoginForm": {"key": NOBODY},
    "PageForm": {"csrf": NOBODY},
    "ExplainRequest": {"model": _MODEL, "messages": _WORDS},
    "BacktestBody": {"route": _MODEL, "policy": _MODEL},
    "ProviderState": {"state": "active"},
    "BreakerAction": {"action": "close"},
    "NewKey": {"tenant_id": "acme", "name": "n", "role": "agent"},
    "KeyChange": {"name": "n"},
    "KeyRotation": {"overlap_seconds": 60},
    "NewTenant": {"tenant_id": "made"},
    "TenantDescription": {"name": "n"},
    "ProjectBody": {"description": "d"},
    "NewRole": {"name": "made", "permissions": ["usage.read"]},
    "RoleBody": {"permissions": ["usage.read"]},
    "RecommendationStatus": {"status": "dismissed"},
    "NewFeedback": {"request_id": NOBODY, "rating": 3},
    "NewStop": {"agent_id": NOBODY, "reason": "r"},
    "InboundWebhook": {"source": "github", "credentials": [NOBODY], "headers": {}, "body": "{}"},
    "NewCredential": {"name": "n", "value": "v"},
    "NewCredentialValue": {"value": "v"},
    "NewRotation": {"kind": "keys"},
    "BudgetBody": {"name": "n", "scope": {"tenant": "acme"}, "period": "month", "limit_usd": "900000"},
    "SpenderBody": {"tenant": "default"},
    "ResolveBody": {"attempt_id": f"{NOBODY}.0"},
    "LimitBody": {"name": "n", "scope": {"tenant": "acme"}, "per": "hour", "requests": 900_000},
    "PrivacyCheck": {"text": "hello"},
    "GuardrailCheck": {"text": "hello"},
    "CacheInvalidation": {"kind": "tag", "value": NOBODY},
    "CacheWarmLines": {"model": _MODEL, "messages": _WORDS},
    "ToolExecution": {"tool_name": "t", "integration_id": NOBODY},
    "AcceptTools": {"tools": [NOBODY]},
    "NewIntegration": {
        "integration_id": "made",
        "type": "storage",
        "configuration": {"endpoint": "nowhere://a", "authentication": {"type": "none"}},
    },
    "IntegrationBody": {
        "type": "storage",
        "configuration": {"endpoint": "nowhere://a", "authentication": {"type": "none"}},
    },
    "WebhookBody": {"url": "https://made.invalid/in"},
    "WebhookRotation": {"overlap_s": 60},
    "WebhookReplay": {"since": "2026-01-01T00:00:00Z"},
    "Silence": {"for_s": 60},
    "ExperimentBody": {
        "name": "n",
        "route": "both",
        "arms": [{"name": "a", "route": "both"}, {"name": "b", "route": "both"}],
    },
    "ExperimentPromotion": {"arm": "b"},
    "RouteBody": {"targets": ["first/small"]},
}
"""The least that each kind of body has to hold; nothing in it exists or harms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the document. `fields` are the body's, `base` its least content (None: no body)."""

    method: str
    path: str
    path_names: tuple[str, ...]
    query_names: tuple[str, ...]
    header_names: tuple[str, ...]
    media: str
    base: Any
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def filled(self, **names: str) -> str:
        """The path; names that are not given exist nowhere."""
        path = self.path
        for name in self.path_names:
            path = path.replace("{" + name + "}", quote(names.get(name, self._usual(name)), safe=""))
        return path

    def _usual(self, name: str) -> str:
        return _MODEL if name == "name" and "models/" in self.path else NOBODY


class Place(NamedTuple):
    """Where a word of the attacker's goes."""

    operation: Operation
    kind: str
    """`path`, `query`, `header` or `body`."""
    at: Path

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {'.'.join(map(str, self.at))}"


def _resolved(parameter: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in parameter:
        return parameter
    found: dict[str, Any] = OPENAPI["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
    return found


def _operation(method: str, path: str, row: dict[str, Any]) -> Operation:
    parameters = [_resolved(each) for each in row.get("parameters", ())]
    media, base, fields = "", None, ()
    for kind, content in row.get("requestBody", {}).get("content", {}).items():
        name = content["schema"]["$ref"].rpartition("/")[2]
        media, base = kind, BODIES.get(name, {})
        fields = tuple(OPENAPI["components"]["schemas"][name].get("properties", {}))
    return Operation(
        method=method.upper(),
        path=path,
        path_names=tuple(each["name"] for each in parameters if each["in"] == "path"),
        query_names=tuple(each["name"] for each in parameters if each["in"] == "query"),
        header_names=tuple(each["name"] for each in parameters if each["in"] == "header"),
        media=media,
        base=base,
        fields=fields,
    )


OPERATIONS: Final = tuple(
    _operation(method, path, row) for path, rows in OPENAPI["paths"].items() for method, row in rows.items()
)
WITH_BODY: Final = tuple(each for each in OPERATIONS if each.base is not None)
WITH_JSON: Final = tuple(each for each in WITH_BODY if each.media == "application/json")


def _leaves(value: Any, at: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*at, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*at, place))
    else:
        yield at


def places(operation: Operation) -> Iterator[Place]:
    """Every parameter, every field of the body that is documented, and every value inside its example."""
    for kind, names in (
        ("path", operation.path_names),
        ("query", operation.query_names),
        ("header", operation.header_names),
    ):
        yield from (Place(operation, kind, (name,)) for name in names)
    if operation.base is not None:
        found = {(name,): None for name in operation.fields} | dict.fromkeys(_leaves(operation.base))
        yield from (Place(operation, "body", at) for at in found)


def put(base: Any, at: Path, word: Any) -> Any:
    """A copy of the body with the word there."""
    if not at:
        return word
    if isinstance(base, list):
        return [put(each, at[1:], word) if place == at[0] else each for place, each in enumerate(base)]
    inner = base.get(at[0], {}) if isinstance(base, dict) else {}
    return {**(base if isinstance(base, dict) else {}), at[0]: put(inner, at[1:], word)}


def send(client: httpx.Client, operation: Operation, body: Any = None, **more: Any) -> httpx.Response:
    """With a body in the operation's media; `path` replaces the usual one."""
    path = more.pop("path", None) or operation.filled()
    body = operation.base if body is None else body
    if operation.base is None:
        return client.request(operation.method, path, **more)
    if operation.media == "multipart/form-data":
        form = {name: (None, str(value).encode("utf-8", "replace")) for name, value in body.items()}
        for name in {"file", "image", "mask"} & form.keys():
            form[name] = ("a.bin", form[name][1])  # type: ignore[assignment]
        return client.request(operation.method, path, files=form, **more)
    # Escaped, as a body may hold what no text can: half a surrogate pair, for one.
    more["headers"] = {"content-type": operation.media, **more.get("headers", {})}
    return client.request(operation.method, path, content=json.dumps(body), **more)


def attack(client: httpx.Client, place: Place, word: str) -> httpx.Response:
    """The operation with the word in that place, everything else in order."""
    name = str(place.at[0])
    if place.kind == "path":
        return send(client, place.operation, path=place.operation.filled(**{name: word}))
    if place.kind == "query":
        return send(client, place.operation, params={name: word})
    if place.kind == "header":
        return send(client, place.operation, headers={name: word.encode("utf-8", "surrogatepass")})
    return send(client, place.operation, put(place.operation.base, place.at, word))


_INTERNALS: Final = re.compile(
    r"Traceback|File \"/|sqlite3?\.|sqlalchemy|asyncpg|psycopg|syntax error at|near \"|OperationalError"
    r"|site-packages|root:x:0:0|BEGIN .*PRIVATE KEY",
    re.IGNORECASE,
)


def in_order(answer: httpx.Response) -> httpx.Response:
    """Never a fault of ours, nothing of our inside, and only what the document foresees."""
    where = f"{answer.request.method} {answer.request.url}"
    assert answer.status_code < 500, (where, answer.status_code, answer.text[:400])
    assert "set-cookie" not in answer.headers, where
    if answer.headers.get("content-type", "").startswith("application/json"):
        found = _INTERNALS.search(answer.text)
        assert found is None, (where, found)
    return answer


def still_well(stack: Stack, client: httpx.Client) -> None:
    """The server answers as before: it lives, the owner is let in, a model is reached."""
    assert client.get("/health/live").status_code == 200
    assert client.get("/api/v1/key").status_code == 200
    answer = client.post("/v1/chat/completions", json=BODIES["ChatCompletionRequest"])
    assert answer.status_code == 200, answer.text
