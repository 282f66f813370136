"""Upstream calls for codec tests."""

import json
from typing import Any

from adapters.wire.heads import DialectReader
from application.ports.llm import UpstreamCall
from application.ports.wire import OPENAI_CHAT
from domain.catalog.offering import Offering
from domain.llm.capabilities import Capability
from domain.routing.target import Target
from domain.time import Timeouts

READER = DialectReader()
HELLO: Any = [{"role": "user", "content": "hello"}]


def target(model: str = "m", *, provider: str = "acme", wire: str = "openai", **offering: Any) -> Target:
    known = Offering(provider=provider, model=model, **offering)
    return Target(
        index=0, id=f"{provider}/{model}", provider=provider, model=model, offering=known, wire=wire
    )


def call(
    dialect: str = OPENAI_CHAT,
    body: dict[str, Any] | bytes | None = None,
    *,
    to: Target | None = None,
    continue_from: str | None = None,
    **fields: Any,
) -> UpstreamCall:
    """A call of `body`, or of a small request of the dialect with `fields` on top."""
    if body is None:
        body = {"model": "m", "messages": HELLO, **fields}
        if dialect == "anthropic.messages":
            body.setdefault("max_tokens", 100)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = READER.read(dialect, raw)
    return UpstreamCall(request, to or target(), Timeouts(), 600.0, "req_1", continue_from)


def thinker(**more: Any) -> Target:
    return target("thinker", capabilities=Capability.TEXT | Capability.REASONING, **more)
