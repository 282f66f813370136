"""Straight to the provider, in its own shape: the way out when a gateway is down or would lose something."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from adapters.providers.endpoint import ProviderEndpoint
from adapters.wire.addresses import (
    ANTHROPIC_VERSION,
    GEMINI_EMBEDDINGS,
    Base,
    parse_base,
    upstream_path,
)
from adapters.wire.codec import Codec
from adapters.wire.errors import read_failure
from adapters.wire.exchange import Exchange, Headers
from adapters.wire.registry import codec_for, would_drop
from application.ports.http import Endpoint, HttpRequest, HttpTransport
from application.ports.llm import (
    LlmProvider,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailed,
    UpstreamStream,
)
from application.ports.system import Clock
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    FAMILY,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.routing.target import Target

UPSTREAM_DIALECTS: Final[dict[tuple[str, str], str]] = {
    ("openai", OPENAI_CHAT): OPENAI_CHAT,
    ("openai", OPENAI_COMPLETIONS): OPENAI_COMPLETIONS,
    ("openai", OPENAI_EMBEDDINGS): OPENAI_EMBEDDINGS,
    ("openai", ANTHROPIC_MESSAGES): OPENAI_CHAT,
    ("anthropic", ANTHROPIC_MESSAGES): ANTHROPIC_MESSAGES,
    ("anthropic", ANTHROPIC_COUNT_TOKENS): ANTHROPIC_COUNT_TOKENS,
    ("anthropic", OPENAI_CHAT): ANTHROPIC_MESSAGES,
    ("anthropic", OPENAI_COMPLETIONS): ANTHROPIC_MESSAGES,
    ("gemini", OPENAI_CHAT): GEMINI_GENERATE,
    ("gemini", OPENAI_COMPLETIONS): GEMINI_GENERATE,
    ("gemini", ANTHROPIC_MESSAGES): GEMINI_GENERATE,
    ("gemini", OPENAI_EMBEDDINGS): GEMINI_EMBEDDINGS,
}
"""(provider's wire, caller's dialect) -> what is spoken upstream."""

CHAT_ONLY_TAG: Final = "chat-only"
"""An offering with this tag has no text-completion endpoint: completions are asked as a chat."""


class _Way(NamedTuple):
    """Everything about (target, caller's dialect, stream) that never changes."""

    codec: Codec
    endpoint: Endpoint
    path: str
    headers: Headers
    same_family: bool


class DirectProviders(LlmProvider):
    """Every provider with an endpoint of its own. Keeps connections in the transport, nothing else."""

    def __init__(
        self, transport: HttpTransport, clock: Clock, endpoints: Mapping[str, ProviderEndpoint]
    ) -> None:
        """`endpoints` by the operator's provider names. Raises ValueError for a base URL that is none."""
        self._endpoints = dict(endpoints)
        self._bases: dict[str, Base] = {name: parse_base(e.base_url) for name, e in endpoints.items()}
        self._ways: dict[tuple[str, str, bool], _Way] = {}
        secrets = tuple(e.api_key for e in endpoints.values() if e.api_key)

        def read_error(dialect: str, status: int, headers: Headers, body: bytes) -> Failure:
            return read_failure(dialect, status, headers, body, clock.utc_now(), secrets=secrets)

        self._exchange = Exchange(transport, clock, read_error=read_error)

    def would_drop(self, request: LlmRequest, target: Target) -> tuple[str, ...]:
        """Nothing within a family; between families the fields the translation has no counterpart for."""
        endpoint = self._endpoints.get(target.provider)
        if endpoint is None:
            return ()
        upstream = _upstream_dialect(endpoint, request.dialect, target)
        return would_drop(request.dialect, upstream, request.fields) if upstream else ()

    def reaches(self, target: Target) -> bool:
        return target.provider in self._endpoints

    def speaks(self, dialect: str, target: Target) -> bool:
        endpoint = self._endpoints.get(target.provider)
        return endpoint is not None and _upstream_dialect(endpoint, dialect, target) is not None

    async def complete(self, call: UpstreamCall) -> UpstreamAnswer:
        way = self._way(call, False)
        encoded = way.codec.request(call)
        timeouts = call.timeouts
        request = HttpRequest(
            "POST",
            way.endpoint,
            way.path,
            _headers(way, call.request),
            encoded.body,
            timeouts.connect_s,
            None,
            None,
            call.total_timeout_s,
        )
        return await self._exchange.complete(way.codec, call, request, encoded.dropped)

    async def open_stream(self, call: UpstreamCall) -> UpstreamStream:
        way = self._way(call, True)
        encoded = way.codec.request(call)
        timeouts = call.timeouts
        request = HttpRequest(
            "POST",
            way.endpoint,
            way.path,
            _headers(way, call.request),
            encoded.body,
            timeouts.connect_s,
            timeouts.headers_s,
            # The caller keeps first-token and idle time; this is the net below both.
            max(timeouts.first_token_s, timeouts.idle_s),
            call.total_timeout_s,
        )
        return await self._exchange.open_stream(way.codec, call, request, encoded.dropped)

    def _way(self, call: UpstreamCall, stream: bool) -> _Way:
        key = (call.target.id, call.request.dialect, stream)
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = self._find_way(call, stream)
        return way

    def _find_way(self, call: UpstreamCall, stream: bool) -> _Way:
        target, dialect = call.target, call.request.dialect
        endpoint = self._endpoints.get(target.provider)
        upstream = endpoint and _upstream_dialect(endpoint, dialect, target)
        if endpoint is None or not upstream:
            what = "is not configured" if endpoint is None else f"offers nothing that answers {dialect}"
            message = f"the provider {target.provider} {what}"
            raise UpstreamFailed(Failure(kind=FailureKind.MODEL_MISSING, message=message))
        base = self._bases[target.provider]
        return _Way(
            codec_for(dialect, upstream),
            base.endpoint,
            upstream_path(base, upstream, target.model, stream=stream),
            _fixed_headers(endpoint, stream),
            FAMILY[dialect] == endpoint.wire,
        )


def _upstream_dialect(endpoint: ProviderEndpoint, dialect: str, target: Target) -> str | None:
    if dialect == OPENAI_COMPLETIONS and CHAT_ONLY_TAG in target.offering.tags and endpoint.wire == "openai":
        return OPENAI_CHAT
    return UPSTREAM_DIALECTS.get((endpoint.wire, dialect))


def _fixed_headers(endpoint: ProviderEndpoint, stream: bool) -> tuple[tuple[str, str], ...]:
    headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream" if stream else "application/json"),
        # Some providers' front ends refuse requests that do not say who they are.
        ("user-agent", "interchange"),
    ]
    key = endpoint.api_key
    match endpoint.wire:
        case "anthropic":
            headers.append(("anthropic-version", ANTHROPIC_VERSION))
            if key:
                headers.append(("x-api-key", key))
        case "gemini":
            if key:
                headers.append(("x-goog-api-key", key))
        case _:
            if key:
                headers.append(("authorization", f"Bearer {key}"))
    own = {name for name, _ in endpoint.headers}
    return tuple([(name, value) for name, value in headers if name not in own] + list(endpoint.headers))


_NEVER_FORWARDED: Final = frozenset(
    {"authorization", "x-api-key", "x-goog-api-key", "content-type", "content-length", "host", "accept"}
)


def _headers(way: _Way, request: LlmRequest) -> Headers:
    """The fixed ones; on the same family also the caller's vendor headers, in place of ours of that name."""
    if not request.headers or not way.same_family:
        return way.headers
    vendor = [(name, value) for name, value in request.headers if name not in _NEVER_FORWARDED]
    replaced = {name for name, _ in vendor}
    return [pair for pair in way.headers if pair[0] not in replaced] + vendor
