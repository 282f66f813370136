"""Which codec serves a pair of dialects, and what Interchange says itself in each caller's dialect."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from adapters.wire import (
    anthropic,
    anthropic_requests,
    anthropic_to_chat,
    anthropic_writer,
    bedrock,
    bedrock_requests,
    body_shapes,
    cohere,
    cohere_requests,
    cohere_vectors,
    completions,
    gemini,
    gemini_embedding_callers,
    gemini_embeddings,
    gemini_family,
    gemini_frames,
    gemini_requests,
    gemini_to_chat,
    gemini_writer,
    media_codecs,
    media_gemini,
    openai,
    openai_pivot,
    openai_requests,
    replicate,
    responses,
    responses_answers,
    responses_frames,
    responses_reader,
    responses_requests,
    responses_to_chat,
    responses_writer,
    token_counts,
    vertex_embeddings,
)
from adapters.wire.codec import Codec
from adapters.wire.eventstream import EventStreamFramer
from adapters.wire.pivot_codec import CallerSide, PivotCodec, ProviderSide
from adapters.wire.priced_frames import COST, USAGE, with_cost_in_frames
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    COHERE_RERANK,
    FAMILY,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_IMAGES,
    OPENAI_RESPONSES,
)

_CALLERS: Final[dict[str, CallerSide]] = {
    OPENAI_CHAT: CallerSide(
        lambda body, draft: body,  # noqa: ARG005 - it is the pivot
        openai_pivot.write_answer,
        openai_pivot.ChatWriter,
        known=body_shapes.CHAT,
    ),
    OPENAI_COMPLETIONS: CallerSide(
        completions.to_chat, completions.write_answer, completions.CompletionsWriter
    ),
    ANTHROPIC_MESSAGES: CallerSide(
        anthropic_to_chat.to_chat,
        anthropic_writer.write_answer,
        anthropic_writer.AnthropicWriter,
        known=body_shapes.MESSAGES,
        answer_to=anthropic_writer.answer_to,
    ),
    GEMINI_GENERATE: CallerSide(
        gemini_to_chat.to_chat,
        gemini_writer.write_answer,
        gemini_writer.GeminiWriter,
        answer_to=gemini_writer.answer_to,
    ),
    OPENAI_RESPONSES: CallerSide(
        responses_to_chat.to_chat,
        responses_answers.write_answer,
        responses_writer.ResponsesWriter,
        known=responses_to_chat.KNOWN,
        answer_to=responses_answers.answer_to,
    ),
}
_COUNTERPARTS: Final[dict[str, dict[str, str]]] = {
    OPENAI_COMPLETIONS: completions.CHAT_COUNTERPARTS,
    ANTHROPIC_MESSAGES: anthropic_to_chat.CHAT_COUNTERPARTS,
    GEMINI_GENERATE: gemini_to_chat.CHAT_COUNTERPARTS,
    OPENAI_RESPONSES: responses_to_chat.CHAT_COUNTERPARTS,
}
_PROVIDERS: Final[dict[str, tuple[ProviderSide, frozenset[str]]]] = {
    OPENAI_CHAT: (
        ProviderSide(
            OPENAI_CHAT, openai_requests.from_chat, openai_pivot.read_answer, openai_pivot.ChatReader
        ),
        openai_requests.CHAT_FIELDS,
    ),
    ANTHROPIC_MESSAGES: (
        ProviderSide(
            ANTHROPIC_MESSAGES,
            anthropic_requests.from_chat,
            anthropic.read_answer,
            anthropic.AnthropicReader,
        ),
        anthropic_requests.CHAT_FIELDS,
    ),
    GEMINI_GENERATE: (
        ProviderSide(GEMINI_GENERATE, gemini_requests.from_chat, gemini.read_answer, gemini.GeminiReader),
        gemini_requests.CHAT_FIELDS,
    ),
    OPENAI_RESPONSES: (
        ProviderSide(
            OPENAI_RESPONSES,
            responses_requests.from_chat,
            responses_reader.read_answer,
            responses_reader.ResponsesReader,
        ),
        responses_requests.CHAT_FIELDS,
    ),
    bedrock.BEDROCK_CONVERSE: (
        ProviderSide(
            bedrock.BEDROCK_CONVERSE,
            bedrock_requests.from_chat,
            bedrock.read_answer,
            bedrock.ConverseReader,
            EventStreamFramer,
        ),
        bedrock_requests.CHAT_FIELDS,
    ),
    cohere.COHERE_CHAT: (
        ProviderSide(cohere.COHERE_CHAT, cohere_requests.from_chat, cohere.read_answer, cohere.CohereReader),
        cohere_requests.CHAT_FIELDS,
    ),
    replicate.REPLICATE_PREDICTION: (
        ProviderSide(
            replicate.REPLICATE_PREDICTION,
            replicate.from_chat,
            replicate.read_answer,
            replicate.ReplicateReader,
        ),
        replicate.CHAT_FIELDS,
    ),
}


def _kept_fields(dialect: str, upstream_dialect: str) -> frozenset[str]:
    """The caller's top-level names whose meaning reaches the provider."""
    chat_fields = _PROVIDERS[upstream_dialect][1]
    names = _COUNTERPARTS.get(dialect)
    if names is None:
        return chat_fields
    return frozenset(name for name, chat_name in names.items() if chat_name in chat_fields)


_SAME_FAMILY: Final[dict[tuple[str, str], Codec]] = {
    (OPENAI_CHAT, OPENAI_CHAT): openai.CHAT,
    (OPENAI_COMPLETIONS, OPENAI_COMPLETIONS): openai.COMPLETIONS,
    (OPENAI_EMBEDDINGS, OPENAI_EMBEDDINGS): openai.EMBEDDINGS,
    **media_codecs.WITHIN_FAMILY,
    (OPENAI_RESPONSES, OPENAI_RESPONSES): responses.RESPONSES,
    (ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES): anthropic.MESSAGES,
    (ANTHROPIC_COUNT_TOKENS, ANTHROPIC_COUNT_TOKENS): anthropic.COUNT_TOKENS,
    (GEMINI_GENERATE, GEMINI_GENERATE): gemini_family.GENERATE,
    (GEMINI_COUNT_TOKENS, GEMINI_COUNT_TOKENS): gemini_family.COUNT_TOKENS,
    (GEMINI_EMBEDDINGS, GEMINI_EMBEDDINGS): gemini_embedding_callers.WITHIN_FAMILY,
}
_TRANSLATED: Final = [
    (caller, provider)
    for caller in _CALLERS
    for provider in _PROVIDERS
    if (caller, provider) not in _SAME_FAMILY
]
_KEPT_FIELDS: Final[dict[tuple[str, str], frozenset[str]]] = {
    pair: _kept_fields(*pair) for pair in _TRANSLATED
} | {
    (OPENAI_EMBEDDINGS, GEMINI_EMBEDDINGS): gemini_embeddings.FIELDS,
    (OPENAI_IMAGES, GEMINI_GENERATE): media_gemini.FIELDS,
    (GEMINI_EMBEDDINGS, OPENAI_EMBEDDINGS): gemini_embedding_callers.FIELDS,
    (OPENAI_EMBEDDINGS, vertex_embeddings.VERTEX_EMBEDDINGS): gemini_embeddings.FIELDS,
    (OPENAI_EMBEDDINGS, cohere_vectors.COHERE_EMBED): cohere_vectors.EMBED_FIELDS,
    (COHERE_RERANK, cohere_vectors.COHERE_RERANK_V2): cohere_vectors.RERANK_FIELDS,
}
_COUNTS: Final = (
    (ANTHROPIC_COUNT_TOKENS, ANTHROPIC_MESSAGES, token_counts.ANTHROPIC),
    (GEMINI_COUNT_TOKENS, GEMINI_GENERATE, token_counts.GEMINI),
)
_CODECS: Final[dict[tuple[str, str], Codec]] = {
    **_SAME_FAMILY,
    **{
        pair: PivotCodec(_CALLERS[pair[0]], _PROVIDERS[pair[1]][0], _KEPT_FIELDS[pair])
        for pair in _TRANSLATED
    },
    (OPENAI_EMBEDDINGS, GEMINI_EMBEDDINGS): gemini_embeddings.CODEC,
    (OPENAI_IMAGES, GEMINI_GENERATE): media_gemini.CODEC,
    (GEMINI_EMBEDDINGS, OPENAI_EMBEDDINGS): gemini_embedding_callers.AT_OPENAI,
    **{
        (asked, counted): token_counts.TranslatedCount(
            counted, (_CALLERS[caller], said), (_PROVIDERS[provider][0], read)
        )
        for asked, caller, said in _COUNTS
        for counted, provider, read in _COUNTS
        if asked != counted
    },
    (OPENAI_EMBEDDINGS, vertex_embeddings.VERTEX_EMBEDDINGS): vertex_embeddings.CODEC,
    (OPENAI_EMBEDDINGS, cohere_vectors.COHERE_EMBED): cohere_vectors.EMBEDDINGS,
    (COHERE_RERANK, cohere_vectors.COHERE_RERANK_V2): cohere_vectors.RERANK,
}


def pivoted(upstream_dialect: str) -> dict[str, str]:
    """Every caller's dialect that is translated to this one of providers, by the table above."""
    return dict.fromkeys(_CALLERS, upstream_dialect)


def codec_for(dialect: str, upstream_dialect: str) -> Codec:
    """The codec from a caller's dialect to a provider's and back. Raises LookupError when there is none."""
    try:
        return _CODECS[dialect, upstream_dialect]
    except KeyError:
        raise LookupError(f"nothing translates {dialect} to {upstream_dialect}") from None


def would_drop(dialect: str, upstream_dialect: str, fields: frozenset[str]) -> tuple[str, ...]:
    """The names among a body's top-level `fields` that this pair has no counterpart for. Pure."""
    kept = _KEPT_FIELDS.get((dialect, upstream_dialect))
    return () if kept is None else tuple(sorted(fields - kept))


def terminator(dialect: str) -> bytes:
    """The explicit end of a complete stream."""
    if FAMILY[dialect] == "anthropic":
        return b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    if dialect == OPENAI_RESPONSES:
        return responses_frames.TERMINATOR
    if (dialect, dialect) in media_codecs.WITHIN_FAMILY:
        return b""  # their streams end with an event, and a marker of the provider's own goes on as it is
    return b"data: [DONE]\n\n" if FAMILY[dialect] == "openai" else b""


def keep_alive(dialect: str) -> bytes:
    """A frame that says nothing: a comment, or Anthropic's ping."""
    if FAMILY[dialect] == "anthropic":
        return b'event: ping\ndata: {"type":"ping"}\n\n'
    if FAMILY[dialect] == "gemini":
        return gemini_frames.KEEP_ALIVE
    return b": keep-alive\n\n"


def error_event(
    dialect: str, *, code: str, message: str, error_type: str | None = None, request_id: str = ""
) -> bytes:
    """The terminal event of a stream that cannot be finished."""
    if dialect == OPENAI_RESPONSES:
        return responses_frames.error_event(code, message, request_id)
    body = error_body(dialect, code=code, message=message, error_type=error_type, request_id=request_id)
    return (b"event: error\ndata: " if FAMILY[dialect] == "anthropic" else b"data: ") + body + b"\n\n"


def error_body(
    dialect: str,
    *,
    code: str,
    message: str,
    error_type: str | None = None,
    param: str | None = None,
    request_id: str = "",
) -> bytes:
    """An error in the shape the caller's SDK reads; our own code and request id travel in every shape.

    `error_type` defaults to the code in OpenAI's shape and to the nearest of Anthropic's own types there.
    """
    if FAMILY[dialect] == "gemini":
        return _encode(gemini_frames.error_body(code, message, param=param, request_id=request_id))
    if FAMILY[dialect] == "anthropic":
        error = {
            "type": error_type or _ANTHROPIC_TYPES.get(code, "api_error"),
            "message": message,
            "code": code,
        }
        if param is not None:
            error["param"] = param
        return _encode({"type": "error", "error": error, "request_id": request_id})
    body: dict[str, Any] = {"message": message, "type": error_type or code, "param": param, "code": code}
    return _encode({"error": body, "request_id": request_id})


_ANTHROPIC_TYPES: Final[dict[str, str]] = {
    "invalid_request": "invalid_request_error",
    "invalid_model_requirements": "invalid_request_error",
    "invalid_api_key": "authentication_error",
    "forbidden": "permission_error",
    "residency_violation": "permission_error",
    "pii_blocked": "permission_error",
    "privacy_unavailable": "overloaded_error",
    "guardrail_blocked": "invalid_request_error",
    "guardrail_unavailable": "overloaded_error",
    "agent_stopped": "permission_error",
    "budget_exceeded": "billing_error",
    "model_not_found": "not_found_error",
    "not_found": "not_found_error",
    "request_too_large": "request_too_large",
    "rate_limit_exceeded": "rate_limit_error",
    "overloaded": "overloaded_error",
    "no_provider_available": "overloaded_error",
    "store_unavailable": "overloaded_error",
    "request_timeout": "timeout_error",
    "upstream_rate_limit": "rate_limit_error",
    "upstream_overloaded": "overloaded_error",
    "upstream_timeout": "timeout_error",
    "upstream_caller_fault": "invalid_request_error",
    "upstream_content_policy": "invalid_request_error",
    "upstream_context_length": "invalid_request_error",
    "upstream_model_missing": "not_found_error",
}

_USAGE_MARK: Final = b'"usage":{"'
_ARGUMENTS: Final = b'"input"'
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.encode


def with_cost(dialect: str, raw: bytes, cost_usd: float) -> bytes:
    """The same unary body, or the same frames of a stream, with `cost` inside the last `usage`.

    Everything else keeps its bytes; without a `usage` object nothing changes. Google's clients are made
    from closed schemas, so `usageMetadata` gets nothing added: the cost is in a header.
    """
    if FAMILY[dialect] == "gemini":
        return raw
    if dialect == OPENAI_RESPONSES:
        return responses_frames.with_cost(raw, cost_usd)
    if raw[:1] == b"{" or raw.lstrip()[:1] == b"{":
        at = raw.rfind(_USAGE_MARK)
        # Inside a JSON text the mark's quotes would be escaped, so this is the object itself, unless there
        # are several, or arguments of a tool that have such a name.
        if at >= 0 and COST not in raw and raw.count(USAGE) == 1 and _ARGUMENTS not in raw:
            at += len(_USAGE_MARK) - 1
            return b'%s"cost":%s,%s' % (raw[:at], _encode(cost_usd), raw[at:])
        return _priced(raw, cost_usd) or raw
    return with_cost_in_frames(raw, lambda data, replacing: _priced(data, cost_usd, replacing=replacing))


def _priced(body: bytes, cost_usd: float, *, replacing: bool = False) -> bytes | None:
    """The object with `usage.cost`; None when it has no `usage` object of its own, or, `replacing`, no cost
    in it."""
    try:
        fields: dict[str, Any] = _FIELDS.decode(body)
        usage = fields.get("usage")
        if usage is None or bytes(usage)[:1] != b"{":
            return None
        counts: dict[str, Any] = _FIELDS.decode(usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if replacing and "cost" not in counts:
        return None
    counts["cost"] = cost_usd
    fields["usage"] = counts
    return _encode(fields)
