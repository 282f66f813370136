"""Events as tests of traces need them."""

from typing import Any

from domain.analytics.event import AttemptEvent, RequestEvent

AT_US = 1_760_000_000_000_000
_ZEROS: dict[str, Any] = {"int": 0, "str": "", "bool": False}


def _made(kind: Any, **known: Any) -> Any:
    """Of the fields that nobody names: nothing of their type."""
    fields = {}
    for name, annotation in kind.__annotations__.items():
        text = getattr(annotation, "__name__", str(annotation))
        fields[name] = known[name] if name in known else _ZEROS.get(text)
    return kind(**fields)


def attempt(**changed: Any) -> AttemptEvent:
    """A good call of `alpha/small`."""
    usual = {
        "attempt_id": "req_1.0", "request_id": "req_1", "provider": "alpha", "model": "small",
        "via": "direct", "outcome": "ok", "started_at_us": AT_US + 200, "duration_us": 500,
        "input_tokens": 7, "output_tokens": 3, "cost_nano_usd": 1_900,
    }  # fmt: skip
    made: AttemptEvent = _made(AttemptEvent, **{**usual, **changed})
    return made


def event(**changed: Any) -> RequestEvent:
    """A chat that was answered, of the route `assistant`."""
    usual = {
        "request_id": "req_1", "tenant_id": "acme", "key_id": "key_1", "operation": "chat",
        "dialect": "openai-chat", "model_asked": "assistant", "route": "assistant", "strategy": "priority",
        "provider": "alpha", "model": "small", "via": "direct", "outcome": "ok", "status": 200,
        "started_at_us": AT_US, "duration_us": 1_000, "cost_nano_usd": 1_900, "finish_reason": "stop",
        "cache": "off", "attempts": (),
    }  # fmt: skip
    made: RequestEvent = _made(RequestEvent, **{**usual, **changed})
    return made
