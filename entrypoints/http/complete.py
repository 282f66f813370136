"""`POST /api/v1/llm/complete`: our own published interface (SPEC section 9), over the same pipeline."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from application.job import Attribution, Job
from application.ports.llm import Block, UpstreamAnswer
from application.ports.wire import OPENAI_CHAT
from domain.errors import Forbidden, InterchangeError, InvalidRequest, InvalidRequirements
from domain.llm.capabilities import UnknownCapability, parse_capability
from domain.llm.request import LlmRequest
from domain.llm.stream import ContentKind, Delta
from domain.money import TOKENS_PER_PRICE_UNIT, usd_float
from domain.routing.demanded import demanded
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from entrypoints.http.callers import (
    ATTRIBUTION_CHARS_MAX,
    Call,
    positive_int,
    read_attribution,
    read_requirements,
    usd_to_nano,
)
from entrypoints.http.errors import error_payload, status_of
from entrypoints.http.llm import LlmEndpoint, LlmGate

INTERCHANGE_COMPLETE = "interchange.complete"
DEFAULT_ROUTE = "auto"
ABSENT = msgspec.Raw(b"null")
PASSED_ON = ("messages", "tools", "tool_choice", "response_format")


class ModelRequirements(msgspec.Struct, forbid_unknown_fields=True):
    """`model_requirements`; values are checked by hand so that errors name what is allowed."""

    capabilities: list[str]
    max_cost_per_token: float | None = None
    max_latency_ms: int | None = None
    data_residency: str | None = None


class CompletionRequest(msgspec.Struct):
    """`request`; `messages`, `tools` and `response_format` are passed on as they came."""

    prompt: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stream: bool = False
    model: str | None = None
    messages: msgspec.Raw = ABSENT
    tools: msgspec.Raw = ABSENT
    tool_choice: msgspec.Raw = ABSENT
    response_format: msgspec.Raw = ABSENT


class CompletionContext(msgspec.Struct):
    """`context`."""

    agent_id: str
    tenant_id: str
    workflow_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None


class CompleteBody(msgspec.Struct):
    """The whole body."""

    model_requirements: ModelRequirements
    request: CompletionRequest
    context: CompletionContext


_DECODER = msgspec.json.Decoder(CompleteBody)


class CompleteEndpoint(LlmEndpoint):
    """Speaks section 9 to the caller and `openai.chat` to the pipeline."""

    params: ClassVar[Mapping[str, str]] = {
        "model": "request.model",
        "messages": "request.messages",
        "capabilities": "model_requirements.capabilities",
        "data_residency": "model_requirements.data_residency",
        "max_cost_per_token": "model_requirements.max_cost_per_token",
        "max_latency_ms": "model_requirements.max_latency_ms",
        "max_cost_usd": "x-interchange-max-cost-usd",
        "quality_floor": "x-interchange-quality-floor",
        "strategy": "x-interchange-strategy",
        "user_id": "context.user_id",
        "agent_id": "context.agent_id",
    }

    def __init__(self, gate: LlmGate) -> None:
        super().__init__(gate, INTERCHANGE_COMPLETE)

    def read(
        self, call: Call, body: bytes, principal: Principal
    ) -> tuple[LlmRequest, Requirements, Attribution]:
        """Raises InvalidRequest, InvalidRequirements, or Forbidden for another tenant's id."""
        try:
            asked = _DECODER.decode(body)
        except msgspec.ValidationError as error:
            raise _invalid(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"the body is not valid JSON: {error}", param="body") from None
        except RecursionError:
            raise InvalidRequest("the body is nested too deeply", param="body") from None
        if asked.context.tenant_id != principal.tenant_id:
            raise Forbidden("context.tenant_id is not the tenant of this key", param="context.tenant_id")
        if not asked.context.agent_id:
            raise InvalidRequest("context.agent_id must not be empty", param="context.agent_id")
        requirements = read_requirements(call.headers) if call.has_wishes else Requirements()
        _demand(asked.model_requirements, requirements)
        requirements.said = demanded(requirements)
        chat = _chat_body(asked.request)
        try:
            request = self._gate.reader.read(OPENAI_CHAT, chat)
        except InvalidRequest as error:
            if error.param == "body":
                raise
            # The reader speaks of the chat body, which is what `request` became.
            raise InvalidRequest(f"request.{error.message}", param=f"request.{error.param}") from None
        attribution = read_attribution(call.headers) if call.has_wishes else Attribution()
        context = asked.context
        attribution.agent_id = context.agent_id[:ATTRIBUTION_CHARS_MAX]
        attribution.workflow_id = (context.workflow_id or attribution.workflow_id)[:ATTRIBUTION_CHARS_MAX]
        attribution.user_id = (context.user_id or attribution.user_id)[:ATTRIBUTION_CHARS_MAX]
        attribution.session_id = (context.session_id or attribution.session_id)[:ATTRIBUTION_CHARS_MAX]
        return request, requirements, attribution

    def unary_body(self, job: Job, answer: UpstreamAnswer) -> tuple[str, bytes]:
        """The response object of section 9."""
        chat = msgspec.json.decode(answer.body)
        choices = chat.get("choices") or [{}]
        message = choices[0].get("message") or {}
        response = self._response(job, message.get("content") or message.get("refusal") or "")
        if message.get("tool_calls"):
            response["tool_calls"] = message["tool_calls"]
        return "application/json", msgspec.json.encode(response)

    def stream_bytes(self, job: Job, block: Block) -> bytes:
        """One `{"delta": …}` event for the text of a block."""
        text = "".join(
            event.text
            for event in block.events
            if type(event) is Delta and event.kind in (ContentKind.TEXT, ContentKind.REFUSAL)
        )
        if not text and job.course is not None and job.course.hit is not None:
            text = _said(block.raw)  # only plain texts are kept beside the frames of an answer
        if not text:
            return b""
        job.texts.append(text)
        return b"data: " + msgspec.json.encode({"delta": text}) + b"\n\n"

    def stream_end(self, job: Job) -> bytes:
        """The event with all response fields, then the end marker."""
        text = "".join(job.texts)
        return b"data: " + msgspec.json.encode(self._response(job, text)) + b"\n\ndata: [DONE]\n\n"

    def stream_error(self, job: Job, error: InterchangeError) -> bytes:
        """An explicit error event; no end marker follows it."""
        payload = error_payload(
            self._dialect,
            status_of(error, self._dialect),
            code=error.code,
            message=error.message,
            param=error.param,
            request_id=job.request_id,
            details=error.details,
        )
        return b"data: " + payload + b"\n\n"

    def _response(self, job: Job, text: str) -> dict[str, Any]:
        target, cost = job.answered_by, job.cost_nano_usd
        assert target is not None
        read, written = job.reused_tokens
        if job.attempts:
            read, written = job.attempts[-1].input_tokens, job.attempts[-1].output_tokens
        return {
            "completion": text,
            "model_used": target.model,
            "provider": target.provider,
            "cost": None if cost is None else usd_float(cost),
            "latency_ms": round((self._gate.clock.monotonic() - job.started) * 1e3),
            "cache_hit": job.cache.startswith("hit"),
            "request_id": job.request_id,
            "finish_reason": job.finish_reason,
            "cost_estimated": job.cost_estimated,
            "attempts": len(job.attempts),
            "fallback": job.fallbacks > 0,
            "simulated": target.simulated,
            "usage": {"input_tokens": read, "output_tokens": written},
        }


def _said(frames: bytes) -> str:
    """What whole frames of `openai.chat` say, refusals included."""
    texts: list[str] = []
    for line in frames.splitlines():
        if line.startswith(b"data: {"):
            choices = msgspec.json.decode(line[6:]).get("choices") or [{}]
            delta = choices[0].get("delta") or {}
            texts.append(delta.get("content") or delta.get("refusal") or "")
    return "".join(texts)


def _demand(asked: ModelRequirements, wanted: Requirements) -> None:
    for position, name in enumerate(asked.capabilities):
        try:
            wanted.capabilities |= parse_capability(name)
        except UnknownCapability as error:
            raise InvalidRequirements(
                str(error), param=f"model_requirements.capabilities[{position}]"
            ) from None
    if asked.max_cost_per_token is not None:
        wanted.max_cost_nano_usd_per_mtok = usd_to_nano(
            asked.max_cost_per_token, "model_requirements.max_cost_per_token", scale=TOKENS_PER_PRICE_UNIT
        )
    if asked.max_latency_ms is not None:
        wanted.max_latency_ms = positive_int(asked.max_latency_ms, "model_requirements.max_latency_ms")
    if asked.data_residency is not None:
        wanted.residency = asked.data_residency


def _chat_body(asked: CompletionRequest) -> bytes:
    has_messages = bytes(asked.messages) != b"null"
    if asked.prompt is None and not has_messages:
        raise InvalidRequest(
            "request.prompt is required unless request.messages is given", param="request.prompt"
        )
    if asked.prompt is not None and has_messages:
        raise InvalidRequest(
            "give either request.prompt or request.messages, not both", param="request.prompt"
        )
    body: dict[str, Any] = {"model": DEFAULT_ROUTE if asked.model is None else asked.model}
    if not has_messages:
        body["messages"] = [{"role": "user", "content": asked.prompt}]
    for name in PASSED_ON:
        value = getattr(asked, name)
        if bytes(value) != b"null":
            body[name] = value
    for name in ("max_tokens", "temperature"):
        value = getattr(asked, name)
        if value is not None:
            body[name] = value
    if asked.max_tokens is not None and asked.max_tokens <= 0:
        raise InvalidRequest("request.max_tokens must be above 0", param="request.max_tokens")
    if asked.temperature is not None and not 0 <= asked.temperature <= 2:
        raise InvalidRequest("request.temperature must be from 0 to 2", param="request.temperature")
    if asked.stream:
        body["stream"] = True
    return msgspec.json.encode(body)


def _invalid(text: str) -> InterchangeError:
    """msgspec's message, with the path as `param`; demands have a code of their own."""
    message, _, path = text.partition(" - at `$")
    param = path.rstrip("`").lstrip(".") or "body"
    if "missing required field" in message:
        field = message.rsplit("`", 2)[-2]
        param = field if param == "body" else f"{param}.{field}"
    if param.startswith("model_requirements"):
        return InvalidRequirements(message, param=param)
    return InvalidRequest(message, param=param)
