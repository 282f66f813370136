"""Gemini's routes: the model and what to do with it stand in the path, the key may stand in the query.

One endpoint looks at the path; each request then gets an endpoint of its own, which knows its model, how the
answer is to be framed and nothing of the query. The query is never logged, because the key may be in it.
"""

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec

from application.job import Attribution, Job
from application.ports.llm import Block
from application.ports.wire import GEMINI_COUNT_TOKENS, GEMINI_EMBEDDINGS, GEMINI_GENERATE
from application.use_cases.list_models import ListedModel, ListModels
from domain.errors import Forbidden, InterchangeError, InvalidRequest, NoProviderAvailable
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest
from domain.llm.usage import estimate_tokens
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from entrypoints.http.app import Below
from entrypoints.http.asgi import JSON, Endpoint, RawHeaders, Receive, Scope, Send, drain, respond
from entrypoints.http.callers import CREDENTIAL_HEADERS, Call, read_headers
from entrypoints.http.errors import render_error
from entrypoints.http.llm import LlmEndpoint, LlmGate

PREFIXES: Final = ("/v1beta/models", "/v1/models")
ARRAY_HEAD: Final[RawHeaders] = [
    (b"content-type", b"application/json; charset=utf-8"),
    (b"cache-control", b"no-store, no-cache"),
    (b"x-accel-buffering", b"no"),
]
MODEL_CHARS_MAX: Final = 512
PAGE_SIZE_DEFAULT: Final = 50
PAGE_SIZE_MAX: Final = 1000
"""Google's own sizes of a page of models."""


class Action(NamedTuple):
    """What stands after the colon of a path."""

    dialect: str
    streams: bool = False


ACTIONS: Final[dict[str, Action]] = {
    "generateContent": Action(GEMINI_GENERATE),
    "streamGenerateContent": Action(GEMINI_GENERATE, streams=True),
    "countTokens": Action(GEMINI_COUNT_TOKENS),
    "embedContent": Action(GEMINI_EMBEDDINGS),
    "batchEmbedContents": Action(GEMINI_EMBEDDINGS),
}


class Query(NamedTuple):
    """What the query of one request says."""

    as_events: bool
    page_size: str
    page_token: str


def with_query_key(scope: Scope) -> tuple[Scope, Query]:
    """The scope without its query, whose key is now a header; a header that is there already goes first."""
    text = scope.get("query_string", b"").decode("latin-1")
    asked = {name: values[-1] for name, values in parse_qs(text).items()} if text else {}
    query = Query(asked.get("alt") == "sse", asked.get("pageSize", ""), asked.get("pageToken", ""))
    headers = scope["headers"]
    key = asked.get("key")
    if key and not any(name in CREDENTIAL_HEADERS for name, _ in headers):
        headers = [*headers, (b"x-goog-api-key", key.encode("latin-1", "replace"))]
    return {**scope, "query_string": b"", "headers": headers}, query


class GeminiCalls:
    """Everything below `/models/` that calls a model."""

    def __init__(self, gate: LlmGate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, query = with_query_key(scope)
        named, _, action = _below_models(scope["path"]).rpartition(":")
        endpoint = GeminiEndpoint(self._gate, ACTIONS[action], _model(named), as_events=query.as_events)
        await endpoint(scope, receive, send)


class GeminiEndpoint(LlmEndpoint):
    """One request of one model."""

    def __init__(self, gate: LlmGate, action: Action, model: str, *, as_events: bool) -> None:
        super().__init__(gate, action.dialect)
        self._action = action
        self._model = model
        self._array = _JsonArray() if action.streams and not as_events else None
        if self._array is not None:
            self.stream_head = ARRAY_HEAD

    def read(
        self, call: Call, body: bytes, principal: Principal
    ) -> tuple[LlmRequest, Requirements, Attribution]:
        """The request with the model of its path."""
        if len(self._model) > MODEL_CHARS_MAX:
            raise InvalidRequest(f"the model's name is over {MODEL_CHARS_MAX} characters", param="model")
        request, requirements, attribution = super().read(call, body, principal)
        request.model = self._model
        if self._action.streams:
            request.stream = True
            request.needs |= Capability.STREAMING
        return request, requirements, attribution

    def refusal(self, error: InterchangeError, body: bytes, request_id: str) -> tuple[int, RawHeaders, bytes]:
        """An estimate where no provider of the route counts tokens; any other error as it is."""
        if self._dialect != GEMINI_COUNT_TOKENS or not isinstance(error, NoProviderAvailable):
            return super().refusal(error, body, request_id)
        headers: RawHeaders = [
            JSON,
            (b"x-request-id", request_id.encode()),
            (b"x-interchange-estimated", b"true"),
        ]
        return 200, headers, msgspec.json.encode({"totalTokens": estimate_tokens(len(body))})

    def keep_alive(self, job: Job) -> bytes:
        return b"\r\n" if self._array is not None else super().keep_alive(job)

    def stream_bytes(self, job: Job, block: Block) -> bytes:
        raw = super().stream_bytes(job, block)
        return raw if self._array is None else self._array.items(raw)

    def stream_end(self, job: Job) -> bytes:
        end = super().stream_end(job)
        return end if self._array is None else self._array.end()

    def stream_error(self, job: Job, error: InterchangeError) -> bytes:
        frame = super().stream_error(job, error)
        return frame if self._array is None else self._array.items(frame) + self._array.end()


class _JsonArray:
    """Events of a stream as the elements of one JSON array: what Gemini sends without `alt=sse`.

    Blocks hold whole events, so nothing has to be kept from one to the next.
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = False

    def items(self, raw: bytes) -> bytes:
        """The elements that these events are."""
        out: list[bytes] = []
        for line in raw.splitlines():
            if line.startswith(b"data:"):
                out.append(b",\r\n" if self._begun else b"[")
                out.append(line[5:].lstrip())
                self._begun = True
        return b"".join(out)

    def end(self) -> bytes:
        """The end of the array, which may be empty."""
        return b"]" if self._begun else b"[]"


def _below_models(path: str) -> str:
    for prefix in PREFIXES:
        if path.startswith(prefix):
            return path[len(prefix) :].lstrip("/")
    return ""


def _model(named: str) -> str:
    """The model of a path; servers differ in how much of a path they have decoded."""
    return unquote(named).removeprefix("models/")


class GeminiModels:
    """`GET /v1beta/models` and one of them: what this key may call, routes first, in Gemini's shape."""

    def __init__(self, gate: LlmGate, list_models: ListModels) -> None:
        self._gate = gate
        self._list_models = list_models

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, query = with_query_key(scope)
        request_id = self._gate.ids.next("req")
        try:
            call = read_headers(scope["headers"])
            principal = await self._gate.entrance.admit(scope, call.headers)
            if not principal.may("models.read"):
                raise Forbidden(f"the role {principal.role!r} may not do this (needs models.read)")
            named = _below_models(scope["path"])
            if named:
                value = gemini_model(self._list_models.one(principal, _model(named)))
            else:
                value = gemini_page(self._list_models(principal), query.page_size, query.page_token)
        except InterchangeError as error:
            await drain(receive)
            await respond(send, *render_error(error, GEMINI_GENERATE, request_id))
            return
        headers: RawHeaders = [JSON, (b"x-request-id", request_id.encode())]
        await drain(receive)
        await respond(send, 200, headers, msgspec.json.encode(value))


def gemini_page(listed: list[ListedModel], page_size: str, page_token: str) -> dict[str, Any]:
    """One page; its token is the place where the next one begins. Raises InvalidRequest."""
    size = _number(page_size, "pageSize", PAGE_SIZE_DEFAULT) or PAGE_SIZE_DEFAULT
    start = _number(page_token, "pageToken", 0)
    end = start + min(size, PAGE_SIZE_MAX)
    page: dict[str, Any] = {"models": [gemini_model(model) for model in listed[start:end]]}
    if end < len(listed):
        page["nextPageToken"] = str(end)
    return page


def _number(text: str, name: str, default: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidRequest(f"{name} must be a whole number", param=name)
    return int(text)


def gemini_model(model: ListedModel) -> dict[str, Any]:
    """A route or target as Gemini lists models."""
    methods = ["generateContent", "countTokens"]
    listed: dict[str, Any] = {"name": f"models/{model.name}", "version": "", "displayName": model.name}
    if model.target is not None:
        offering = model.target.offering
        listed["description"] = f"{offering.model} at {model.target.provider}"
        if offering.context_tokens:
            listed["inputTokenLimit"] = offering.context_tokens
        if offering.max_output_tokens:
            listed["outputTokenLimit"] = offering.max_output_tokens
        if Capability.EMBEDDINGS in offering.capabilities:
            methods = ["embedContent", "batchEmbedContents"]
        if Capability.REASONING in offering.capabilities:
            listed["thinking"] = True
    listed["supportedGenerationMethods"] = methods
    return listed


def gemini_faces(
    gate: LlmGate, list_models: ListModels
) -> tuple[dict[tuple[str, str], Endpoint], list[Below]]:
    """The routes with one exact path, and those below `/models/`."""
    calls, models = GeminiCalls(gate), GeminiModels(gate, list_models)
    suffixes = tuple(f":{action}" for action in ACTIONS)
    below = [Below("POST", f"{prefix}/", suffixes, calls) for prefix in PREFIXES]
    below.append(Below("GET", "/v1beta/models/", ("",), models))
    return {("GET", "/v1beta/models"): models}, below
