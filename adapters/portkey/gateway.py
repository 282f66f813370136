"""Providers through Portkey gateways: one target per call, and no policy handed over.

No retry, no fallback, no cache and no configuration is ever asked of the gateway. Portkey translates the
OpenAI shape for each vendor; Anthropic's own shape goes to Anthropic's models as it is. What a gateway
would lose of a request is known beforehand (`would_drop`), and who failed is told apart afterwards.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from adapters.portkey.corrections import CorrectedCodec, translation
from adapters.portkey.endpoint import GatewayAddress, PortkeyTarget, gateway_address
from adapters.portkey.failures import (
    GATEWAY_ERROR,
    GATEWAY_SILENT,
    read_gateway_failure,
    transport_failure,
)
from adapters.portkey.forwarded_fields import (
    GatewayRoute,
    forwarded_fields,
    known_slugs,
    model_family,
    unanswered_fields,
)
from adapters.portkey.gateways import Gateway, GatewayHealth, GatewayPool
from adapters.portkey.headers import TargetHeaders
from adapters.wire.codec import Codec, EncodedRequest
from adapters.wire.exchange import Exchange
from adapters.wire.forced_limit import under_forwarded_name
from adapters.wire.missing_path import is_missing_path
from adapters.wire.prompt_marks import encoded as with_our_additions
from adapters.wire.registry import codec_for
from application.ports.http import Headers, HttpRequest, HttpTransport, TransportFailed
from application.ports.llm import LlmProvider, UpstreamAnswer, UpstreamCall, UpstreamFailed, UpstreamStream
from application.ports.system import Clock
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    FAMILY,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from domain.catalog.tags import RESPONSES_ONLY_TAG, RESPONSES_TAG
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.routing.target import Target, tagged
from domain.time import Timeouts

REFUSED_PAUSE_S: Final = 30.0
"""How long a target is not reached through the gateways after one refused to call it."""
BROKEN_PAUSE_S: Final = 2.0
"""The same after a call broke inside the gateway: long enough to take another way, or another target."""
PROBE_TIMEOUT_S: Final = 2.0

_NATIVE_MESSAGES: Final = frozenset({"anthropic", "vertex-ai/anthropic"})
_ROADS: Final[dict[str, tuple[tuple[GatewayRoute, str], ...]]] = {
    OPENAI_CHAT: ((GatewayRoute.CHAT, OPENAI_CHAT),),
    OPENAI_COMPLETIONS: (
        (GatewayRoute.COMPLETIONS, OPENAI_COMPLETIONS),
        (GatewayRoute.CHAT, OPENAI_CHAT),
    ),
    OPENAI_EMBEDDINGS: ((GatewayRoute.EMBEDDINGS, OPENAI_EMBEDDINGS),),
    ANTHROPIC_MESSAGES: ((GatewayRoute.MESSAGES, ANTHROPIC_MESSAGES), (GatewayRoute.CHAT, OPENAI_CHAT)),
    ANTHROPIC_COUNT_TOKENS: ((GatewayRoute.COUNT_TOKENS, ANTHROPIC_COUNT_TOKENS),),
    GEMINI_GENERATE: ((GatewayRoute.CHAT, OPENAI_CHAT),),
    OPENAI_RESPONSES: ((GatewayRoute.RESPONSES, OPENAI_RESPONSES), (GatewayRoute.CHAT, OPENAI_CHAT)),
}
"""The ways for a caller's dialect, best first, with the dialect spoken to the gateway."""
_TRANSLATED_WIRES: Final = frozenset({"anthropic", "gemini"})
_SAID_AS_RESPONSES: Final = frozenset(
    {OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_RESPONSES, ANTHROPIC_MESSAGES, GEMINI_GENERATE}
)
_RESPONSES_ALONE: Final = ((GatewayRoute.RESPONSES, OPENAI_RESPONSES),)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])


class _Road(NamedTuple):
    """All that is known before a call from one dialect to one model: computed once, kept."""

    path: str
    codec: Codec
    forwarded: frozenset[str]
    forwarded_in_streams: frozenset[str]
    translated: bool
    same_family: bool
    headers: TargetHeaders
    exchange: Exchange


class PortkeyGateway(LlmProvider):
    """The way through one or more Portkey gateways. Made for one event loop.

    `gateways` are base URLs (`http://127.0.0.1:8787`, with or without `/v1`) or addresses with a key;
    `portkey_api_key` goes to Portkey's own host and to no other. `endpoints` are by `Target.provider`.
    """

    def __init__(
        self,
        transport: HttpTransport,
        clock: Clock,
        gateways: Sequence[str | GatewayAddress],
        endpoints: Mapping[str, PortkeyTarget],
        *,
        portkey_api_key: str | None = None,
    ) -> None:
        """Raises ValueError when a gateway's URL is not one."""
        self._transport = transport
        self._clock = clock
        self._portkey_api_key = portkey_api_key
        self._endpoints: Mapping[str, PortkeyTarget] = {}
        self._roads: dict[tuple[str, str, str, str], _Road | None] = {}
        self._paused_until: dict[tuple[str, str], float] = {}
        self._without_responses: set[str] = set()
        self._pool = GatewayPool(self._addresses(gateways))
        self.set_endpoints(endpoints)

    def set_gateways(self, gateways: Sequence[str | GatewayAddress]) -> None:
        """Another set of gateways from the next call on; those that stay keep their health.

        Raises ValueError when a URL is not one; nothing changes then.
        """
        self._pool.replace(self._addresses(gateways))

    def set_endpoints(self, endpoints: Mapping[str, PortkeyTarget]) -> None:
        """Another set of providers from the next call on."""
        self._endpoints = {
            name: endpoint for name, endpoint in endpoints.items() if endpoint.slug in known_slugs()
        }
        self._roads.clear()
        self._paused_until.clear()
        self._without_responses.clear()

    def health(self) -> tuple[GatewayHealth, ...]:
        """Every gateway with its URL, whether it is used now, and its last error."""
        return self._pool.health(self._clock.monotonic())

    def would_drop(self, request: LlmRequest, target: Target) -> tuple[str, ...]:
        road = self._road(request.dialect, target)
        if road is None:
            return tuple(sorted(request.fields))
        if not road.translated:
            return _lost(request.fields, road, request)
        try:
            encoded = road.codec.request(UpstreamCall(request, target, Timeouts(), 0.0))
        except UpstreamFailed:
            # What cannot be said at all is refused with its reason when it is called.
            return ()
        return _dropped(request, encoded, road)

    def reaches(self, target: Target) -> bool:
        if target.provider not in self._endpoints:
            return False
        now = self._clock.monotonic()
        if self._paused_until and self._paused_until.get((target.provider, target.model), 0.0) > now:
            return False
        return self._pool.any_up(now)

    def speaks(self, dialect: str, target: Target) -> bool:
        return self._road(dialect, target) is not None

    async def complete(self, call: UpstreamCall) -> UpstreamAnswer:
        road, gateway = self._way(call)
        encoded = _encoded(road, call)
        request = self._request(call, road, gateway, encoded, headers_timeout_s=call.total_timeout_s)
        dropped = _dropped(call.request, encoded, road)
        try:
            answer = await road.exchange.complete(road.codec, call, request, dropped)
        except UpstreamFailed as error:
            self._note(gateway, call.target, error.failure)
            raise self._learned(call, road, error) from None
        self._pool.answered(gateway)
        return answer

    async def open_stream(self, call: UpstreamCall) -> UpstreamStream:
        road, gateway = self._way(call)
        encoded = _encoded(road, call)
        headers_timeout_s = min(call.timeouts.headers_s, call.total_timeout_s)
        request = self._request(call, road, gateway, encoded, headers_timeout_s=headers_timeout_s)
        if call.timeouts.first_token_s > headers_timeout_s:
            # The gateway keeps the provider to the bound; its own headers may come with the first chunk.
            patience_s = min(call.timeouts.first_token_s, call.total_timeout_s)
            request = request._replace(headers_timeout_s=patience_s)
        dropped = _dropped(call.request, encoded, road)
        try:
            stream = await road.exchange.open_stream(road.codec, call, request, dropped)
        except UpstreamFailed as error:
            self._note(gateway, call.target, error.failure)
            raise self._learned(call, road, error) from None
        self._pool.answered(gateway)
        return stream

    def _learned(self, call: UpstreamCall, road: _Road, error: UpstreamFailed) -> UpstreamFailed:
        """The failure; a provider that turns out to have no `/responses` is asked in chat from then on."""
        if road.path != GatewayRoute.RESPONSES.value or not is_missing_path(error.failure):
            return error
        if tagged(call.target, RESPONSES_ONLY_TAG):
            return error
        self._without_responses.add(call.target.provider)
        self._roads.clear()
        return UpstreamFailed(replace(error.failure, at_gateway=True))

    async def probe(self) -> None:
        """Asks every gateway for a sign of life, so that a lost one is known before a call meets it and a
        restored one is used again at once. Takes at most `PROBE_TIMEOUT_S`; never raises for a dead one."""
        async with asyncio.TaskGroup() as group:
            for gateway in self._pool.all():
                group.create_task(self._probe(gateway))

    async def _probe(self, gateway: Gateway) -> None:
        request = HttpRequest(
            "GET",
            gateway.endpoint,
            f"{gateway.path_prefix}/",
            (),
            connect_timeout_s=PROBE_TIMEOUT_S,
            total_timeout_s=PROBE_TIMEOUT_S,
        )
        try:
            response = await self._transport.send(request)
            await response.read()
        except TransportFailed as failed:
            self._pool.unreachable(gateway, self._clock.monotonic(), failed.message)
        else:
            self._pool.answered(gateway)

    def _addresses(self, gateways: Sequence[str | GatewayAddress]) -> list[GatewayAddress]:
        return [gateway_address(gateway, api_key=self._portkey_api_key) for gateway in gateways]

    def _way(self, call: UpstreamCall) -> tuple[_Road, Gateway]:
        target = call.target
        road = self._road(call.request.dialect, target, call.credential)
        if road is None:
            raise UpstreamFailed(
                Failure(
                    kind=FailureKind.MODEL_MISSING,
                    message=f"Portkey does not offer {call.request.dialect} for {target.id}",
                    sent=False,
                )
            )
        gateway = self._pool.pick(self._clock.monotonic())
        if gateway is None:
            raise UpstreamFailed(
                Failure(
                    kind=FailureKind.NETWORK,
                    message="no Portkey gateway can be reached",
                    at_gateway=True,
                    sent=False,
                )
            )
        return road, gateway

    def _road(self, dialect: str, target: Target, credential: str = "") -> _Road | None:
        key = (target.provider, target.model, dialect, credential)
        try:
            return self._roads[key]
        except KeyError:
            road = self._roads[key] = self._find_road(dialect, target, credential)
            return road

    def _find_road(self, dialect: str, target: Target, credential: str) -> _Road | None:
        endpoint = self._endpoints.get(target.provider)
        if endpoint is None:
            return None
        family = model_family(endpoint.slug, target.model)
        has_responses = tagged(target, RESPONSES_TAG) and target.provider not in self._without_responses
        for route, upstream_dialect in _roads_for(dialect, target):
            if route is GatewayRoute.RESPONSES and not (has_responses or tagged(target, RESPONSES_ONLY_TAG)):
                continue
            forwarded = forwarded_fields(route, endpoint.slug, target.model)
            if forwarded is None or (route is GatewayRoute.MESSAGES and family not in _NATIVE_MESSAGES):
                continue
            try:
                codec = codec_for(dialect, upstream_dialect)
            except LookupError:
                continue
            told = None
            if route is GatewayRoute.CHAT:
                told = translation(family)
                forwarded -= unanswered_fields(endpoint.slug, target.model)
            lost_in_streams = frozenset[str]() if told is None else told.lost_in_streams
            return _Road(
                path=route.value,
                codec=codec if told is None else CorrectedCodec(codec, told),
                forwarded=forwarded,
                forwarded_in_streams=forwarded - lost_in_streams,
                translated=dialect != upstream_dialect,
                same_family=FAMILY[dialect] == _vendor_family(family),
                headers=TargetHeaders(endpoint.with_key(credential)),
                exchange=self._exchange(endpoint),
            )
        return None

    def _exchange(self, endpoint: PortkeyTarget) -> Exchange:
        secrets = tuple(secret for secret in (*endpoint.secrets, self._portkey_api_key) if secret)
        clock = self._clock

        def read_error(dialect: str, status: int, headers: Headers, body: bytes) -> Failure:
            failure = read_gateway_failure(
                endpoint.slug, dialect, status, headers, body, clock.utc_now(), secrets=secrets
            )
            if endpoint.wire in _TRANSLATED_WIRES and failure.family != endpoint.wire:
                # The gateway's words, not the provider's.
                return replace(failure, family="")
            return failure

        return Exchange(self._transport, clock, read_error=read_error, on_transport=transport_failure)

    def _request(
        self,
        call: UpstreamCall,
        road: _Road,
        gateway: Gateway,
        encoded: EncodedRequest,
        *,
        headers_timeout_s: float,
    ) -> HttpRequest:
        return HttpRequest(
            "POST",
            gateway.endpoint,
            gateway.path_prefix + road.path,
            road.headers.for_call(
                timeout_s=headers_timeout_s,
                request_id=call.request_id,
                vendor_headers=_callers_headers(call.request, same_family=road.same_family),
                gateway_key=gateway.address.api_key,
                trace=call.trace,
            ),
            encoded.body,
            connect_timeout_s=min(call.timeouts.connect_s, call.total_timeout_s),
            headers_timeout_s=headers_timeout_s,
            total_timeout_s=call.total_timeout_s,
        )

    def _note(self, gateway: Gateway, target: Target, failure: Failure) -> None:
        """What a failure says about the gateway itself."""
        now = self._clock.monotonic()
        if failure.code == GATEWAY_ERROR:
            self._pool.answered(gateway)
            pause_s = BROKEN_PAUSE_S if failure.sent else REFUSED_PAUSE_S
            self._paused_until[target.provider, target.model] = now + pause_s
        elif failure.at_gateway:
            self._pool.unreachable(gateway, now, failure.message)
        elif failure.code != GATEWAY_SILENT:
            # Silence may be one provider's, and must not take the gateway from all the others: the next
            # probe tells.
            self._pool.answered(gateway)


def _encoded(road: _Road, call: UpstreamCall) -> EncodedRequest:
    return under_forwarded_name(with_our_additions(road.codec, call, road.forwarded), road.forwarded)


def _roads_for(dialect: str, target: Target) -> tuple[tuple[GatewayRoute, str], ...]:
    if dialect in _SAID_AS_RESPONSES and tagged(target, RESPONSES_ONLY_TAG):
        return _RESPONSES_ALONE
    return _ROADS.get(dialect, ())


def _vendor_family(family: str) -> str:
    """Whose headers this model's vendor understands."""
    return "anthropic" if family.endswith("anthropic") else "gemini" if family == "google" else "openai"


def _lost(fields: frozenset[str], road: _Road, request: LlmRequest) -> tuple[str, ...]:
    lost = fields - (road.forwarded_in_streams if request.stream else road.forwarded)
    return tuple(sorted(lost)) if lost else ()


def _dropped(request: LlmRequest, encoded: EncodedRequest, road: _Road) -> tuple[str, ...]:
    """Names of what does not reach the provider: lost in translation, then at the gateway."""
    if not road.translated:
        return encoded.dropped + _lost(request.fields, road, request)
    return encoded.dropped + _lost(frozenset(_FIELDS.decode(encoded.body)), road, request)


def _callers_headers(request: LlmRequest, *, same_family: bool) -> Headers:
    """What goes on to the provider beside the operator's own headers."""
    headers: Headers = request.headers if same_family else ()
    return [*headers, ("idempotency-key", request.idempotency_key)] if request.idempotency_key else headers
