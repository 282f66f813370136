"""What Interchange itself says in a stream or body, in each caller's dialect."""

import msgspec

from adapters.wire import gemini_frames, registry
from application.ports.wire import FAMILY, OPENAI_RESPONSES, FrameWriter
from domain.llm.usage import Usage

_ANTHROPIC_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class DialectFrames(FrameWriter):
    """Stateless; one serves everybody."""

    def terminator(self, dialect: str) -> bytes:
        return registry.terminator(dialect)

    def keep_alive(self, dialect: str) -> bytes:
        return registry.keep_alive(dialect)

    def error_event(
        self, dialect: str, *, code: str, message: str, request_id: str, error_type: str | None = None
    ) -> bytes:
        return registry.error_event(
            dialect, code=code, message=message, request_id=request_id, error_type=error_type
        )

    def text_frame(self, dialect: str, text: str, *, request_id: str, model: str) -> bytes:
        if FAMILY[dialect] == "anthropic":
            # A plain text answer has one block, and it is still open when the stream breaks.
            return _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})
        if FAMILY[dialect] == "gemini":
            return gemini_frames.text_frame(text, request_id, model)
        if dialect == OPENAI_RESPONSES:
            return b""  # its events carry numbers and ids of those before: such answers are never continued
        return _chunk(dialect, request_id, model, text=text)

    def finish_frames(
        self,
        dialect: str,
        reason: str,
        usage: Usage | None,
        *,
        request_id: str,
        model: str,
        include_usage: bool,
    ) -> bytes:
        if FAMILY[dialect] == "anthropic":
            counted = usage or Usage()
            delta = {
                "delta": {"stop_reason": _ANTHROPIC_STOP.get(reason, "end_turn"), "stop_sequence": None},
                "usage": {
                    "input_tokens": counted.input_tokens
                    - counted.cached_read_tokens
                    - counted.cache_write_tokens
                    - counted.cache_write_long_tokens,
                    "output_tokens": counted.output_tokens,
                },
            }
            return _event("content_block_stop", {"index": 0}) + _event("message_delta", delta)
        if FAMILY[dialect] == "gemini":
            return gemini_frames.finish_frame(reason, usage, request_id, model)
        if dialect == OPENAI_RESPONSES:
            return b""
        frames = _chunk(dialect, request_id, model, reason=reason)
        if include_usage and usage is not None:
            frames += _chunk(dialect, request_id, model, usage=usage)
        return frames

    def cost_note(self, dialect: str, cost_usd: float) -> bytes:
        if FAMILY[dialect] != "gemini":
            return b": interchange cost_usd=" + msgspec.json.encode(cost_usd) + b"\n\n"
        return b""

    def with_cost(self, dialect: str, raw: bytes, cost_usd: float) -> bytes:
        return registry.with_cost(dialect, raw, cost_usd)


def _event(name: str, data: dict[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode({"type": name, **data}))


def _chunk(
    dialect: str,
    request_id: str,
    model: str,
    *,
    text: str | None = None,
    reason: str | None = None,
    usage: Usage | None = None,
) -> bytes:
    choice: dict[str, object] = {"index": 0, "finish_reason": reason}
    chat = dialect == "openai.chat"
    if chat:
        choice["delta"] = {} if text is None else {"content": text}
    else:
        choice["text"] = text or ""
    chunk: dict[str, object] = {
        "id": request_id,
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": 0,
        "model": model,
        "choices": [] if usage is not None else [choice],
    }
    if usage is not None:
        chunk["usage"] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
