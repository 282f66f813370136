"""Straight to the provider, in its own shape: the way out when a gateway is down or would lose something."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from adapters.providers.authentication import Authenticator
from adapters.providers.callers_own import with_own_credential, without_own_credential
from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.families import FAMILIES
from adapters.providers.family import Address, AnExchange, EditedCodec, HeaderPairs, Site
from adapters.wire.addresses import Base, parse_base
from adapters.wire.bedrock import BEDROCK_CONVERSE
from adapters.wire.codec import Codec, EncodedRequest
from adapters.wire.errors import read_failure
from adapters.wire.exchange import Exchange, Headers
from adapters.wire.media_codecs import PATHS
from adapters.wire.missing_path import is_missing_path
from adapters.wire.prompt_marks import encoded as with_our_additions
from adapters.wire.registry import codec_for, would_drop
from application.ports.http import Endpoint, HttpRequest, HttpTransport
from application.ports.llm import (
    CALLER,
    LlmProvider,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailed,
    UpstreamStream,
)
from application.ports.system import Clock
from application.ports.wire import (
    FAMILY,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_MODERATIONS,
    OPENAI_RESPONSES,
    OPENAI_SPEECH,
    OPENAI_TRANSCRIPTIONS,
    OPENAI_TRANSLATIONS,
)
from domain.catalog.tags import CHAT_ONLY_TAG, RESPONSES_ONLY_TAG, RESPONSES_TAG
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.routing.target import Target, tagged

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
_REMEMBERED_MAX: Final = 20_000
"""Callers may ask for models by any name their provider may know: as many are remembered, then all anew."""
_SAID_AS_RESPONSES: Final = frozenset({OPENAI_CHAT, OPENAI_COMPLETIONS})


class _Way(NamedTuple):
    """Everything about (target, caller's dialect, stream, credential) that never changes."""

    codec: Codec
    endpoint: Endpoint
    path: str
    headers: Headers
    same_family: bool
    authenticator: Authenticator | None
    operators_headers: Mapping[str, str]
    exchange: AnExchange


class DirectProviders(LlmProvider):
    """Every provider with an endpoint of its own. Keeps connections in the transport, nothing else."""

    def __init__(
        self, transport: HttpTransport, clock: Clock, endpoints: Mapping[str, ProviderEndpoint]
    ) -> None:
        """`endpoints` by the operator's provider names. Raises ValueError for a base URL that is none."""
        self._endpoints: dict[str, ProviderEndpoint] = {}
        self._bases: dict[str, Base] = {}
        self._secrets: tuple[str, ...] = ()
        self._ways: dict[tuple[str, str, bool, str], _Way] = {}
        self._offered: dict[tuple[str, str], tuple[Target, str | None]] = {}
        self._without_responses: set[str] = set()
        self._without: set[tuple[str, str]] = set()
        self.set_endpoints(endpoints)

        def read_error(dialect: str, status: int, headers: Headers, body: bytes) -> Failure:
            return read_failure(dialect, status, headers, body, clock.utc_now(), secrets=self._secrets)

        def exchange_over(wire: str, way_out: HttpTransport) -> AnExchange:
            make = FAMILIES[wire].exchange
            if make is not None:
                return make(way_out, read_error)
            return Exchange(way_out, clock, read_error=read_error)

        self._exchange_over = exchange_over
        self._exchanges = {wire: exchange_over(wire, transport) for wire in FAMILIES}

    def set_endpoints(self, endpoints: Mapping[str, ProviderEndpoint]) -> None:
        """Other providers from the next call on; calls that run keep theirs.

        Raises ValueError for a base URL that is none; nothing changes then.
        """
        bases = {name: parse_base(endpoint.base_url) for name, endpoint in endpoints.items()}
        self._endpoints, self._bases = dict(endpoints), bases
        self._secrets = tuple(secret for endpoint in endpoints.values() for secret in endpoint.secrets)
        self._without_responses = set()
        self._without = set()
        self._find_out_anew()

    def _find_out_anew(self) -> None:
        """What was worked out of endpoints and of what they lack holds no more."""
        self._ways = {}
        self._offered = {}

    def would_drop(self, request: LlmRequest, target: Target) -> tuple[str, ...]:
        """Nothing within a family; between families the fields the translation has no counterpart for."""
        endpoint = self._endpoints.get(target.provider)
        if endpoint is None:
            return ()
        upstream = self._spoken(endpoint, request.dialect, target)
        return would_drop(request.dialect, upstream, request.fields) if upstream else ()

    def reaches(self, target: Target) -> bool:
        return target.provider in self._endpoints

    def speaks(self, dialect: str, target: Target) -> bool:
        endpoint = self._endpoints.get(target.provider)
        return endpoint is not None and self._spoken(endpoint, dialect, target) is not None

    async def complete(self, call: UpstreamCall) -> UpstreamAnswer:
        way = self._way(call, False)
        encoded = with_our_additions(way.codec, call)
        request = HttpRequest(
            "POST",
            way.endpoint,
            way.path,
            _headers(way, call, encoded),
            encoded.body,
            call.timeouts.connect_s,
            None,
            None,
            call.total_timeout_s,
        )
        if way.authenticator is not None:
            request = await way.authenticator.sign(request, call.credential)
        if call.credential == CALLER:
            request = with_own_credential(request, call)
        try:
            return await way.exchange.complete(way.codec, call, request, encoded.dropped)
        except UpstreamFailed as error:
            raise self._learned(call, way, error) from None

    async def open_stream(self, call: UpstreamCall) -> UpstreamStream:
        way = self._way(call, True)
        encoded = with_our_additions(way.codec, call)
        timeouts = call.timeouts
        request = HttpRequest(
            "POST",
            way.endpoint,
            way.path,
            _headers(way, call, encoded),
            encoded.body,
            timeouts.connect_s,
            timeouts.headers_s,
            # The caller keeps first-token and idle time; this is the net below both.
            max(timeouts.first_token_s, timeouts.idle_s),
            call.total_timeout_s,
        )
        if way.authenticator is not None:
            request = await way.authenticator.sign(request, call.credential)
        if call.credential == CALLER:
            request = with_own_credential(request, call)
        try:
            return await way.exchange.open_stream(way.codec, call, request, encoded.dropped)
        except UpstreamFailed as error:
            raise self._learned(call, way, error) from None

    def _learned(self, call: UpstreamCall, way: _Way, error: UpstreamFailed) -> UpstreamFailed:
        """The failure; where it says that a server has no `/responses`, the next call takes the way over its
        chat, and nobody holds this one against the target."""
        failure = error.failure
        if call.credential == CALLER:
            return UpstreamFailed(without_own_credential(failure, call))
        dialect = way.codec.upstream_dialect
        if dialect in PATHS and failure.kind is FailureKind.MODEL_MISSING:
            return self._not_there(call, dialect, failure)
        if (
            dialect != OPENAI_RESPONSES
            or tagged(call.target, RESPONSES_ONLY_TAG)
            or not is_missing_path(failure)
        ):
            return error
        self._without_responses.add(call.target.provider)
        self._find_out_anew()
        return UpstreamFailed(replace(failure, at_gateway=True))

    def _not_there(self, call: UpstreamCall, dialect: str, failure: Failure) -> UpstreamFailed:
        """An endpoint the server has not got, which is remembered, or a model that is none of it: the
        target's chats have nothing to do with either, so nobody holds that against it."""
        if is_missing_path(failure):
            self._without.add((call.target.provider, dialect))
            self._find_out_anew()
            return UpstreamFailed(replace(failure, at_gateway=True))
        if dialect == OPENAI_MODERATIONS:
            # Nothing in the catalogue tells models for moderation from others.
            return UpstreamFailed(replace(failure, kind=FailureKind.CALLER_FAULT))
        return UpstreamFailed(failure)

    def _spoken(self, endpoint: ProviderEndpoint, dialect: str, target: Target) -> str | None:
        """What this target is asked in for a caller's dialect; None when it offers nothing for it.

        Remembered, because each request asks several times; a target that was compiled anew is asked about
        anew.
        """
        known = self._offered.get((target.id, dialect))
        if known is not None and known[0] is target:
            return known[1]
        spoken = self._find_spoken(endpoint, dialect, target)
        if len(self._offered) >= _REMEMBERED_MAX:
            self._offered.clear()
        self._offered[target.id, dialect] = target, spoken
        return spoken

    def _find_spoken(self, endpoint: ProviderEndpoint, dialect: str, target: Target) -> str | None:
        site = Site(self._bases[target.provider].path, target.model)
        spoken = FAMILIES[endpoint.wire].spoken(site).get(dialect)
        if self._without and (target.provider, spoken) in self._without:
            return None
        if spoken == OPENAI_COMPLETIONS and tagged(target, CHAT_ONLY_TAG):
            spoken = OPENAI_CHAT
        if spoken in _SAID_AS_RESPONSES and self._asks_responses(dialect, target):
            return OPENAI_RESPONSES
        return spoken

    def _asks_responses(self, dialect: str, target: Target) -> bool:
        if tagged(target, RESPONSES_ONLY_TAG):
            return True
        has_them = tagged(target, RESPONSES_TAG) and target.provider not in self._without_responses
        return dialect == OPENAI_RESPONSES and has_them

    def _way(self, call: UpstreamCall, stream: bool) -> _Way:
        key = (call.target.id, call.request.dialect, stream, call.credential)
        way = self._ways.get(key)
        if way is None:
            if len(self._ways) >= _REMEMBERED_MAX:
                self._ways.clear()
            way = self._ways[key] = self._find_way(call, stream)
        return way

    def _find_way(self, call: UpstreamCall, stream: bool) -> _Way:
        target, dialect = call.target, call.request.dialect
        endpoint = self._endpoints.get(target.provider)
        upstream = endpoint and self._spoken(endpoint, dialect, target)
        if endpoint is None or not upstream:
            what = "is not configured" if endpoint is None else f"offers nothing that answers {dialect}"
            message = f"the provider {target.provider} {what}"
            raise UpstreamFailed(Failure(kind=FailureKind.MODEL_MISSING, message=message))
        family = FAMILIES[endpoint.wire]
        base = self._bases[target.provider]
        tags = target.tags | target.offering.tags
        address = Address(base, upstream, target.model, stream, endpoint.options, tags)
        codec, edit = codec_for(dialect, upstream), family.edit(address)
        return _Way(
            codec if edit is None else EditedCodec(codec, edit),
            base.endpoint,
            family.path(address),
            _fixed_headers(endpoint, _ACCEPTED.get(upstream, EVENTS if stream else JSON), call.credential),
            FAMILY[dialect] == FAMILY.get(upstream, family.vendor),
            None if call.credential == CALLER else endpoint.authenticator,
            dict(endpoint.headers),
            self._exchanges[endpoint.wire]
            if endpoint.transport is None
            else self._exchange_over(endpoint.wire, endpoint.transport),
        )


_ACCEPTED: Final = {
    OPENAI_SPEECH: "*/*",
    OPENAI_TRANSCRIPTIONS: "*/*",
    OPENAI_TRANSLATIONS: "*/*",
    BEDROCK_CONVERSE: "*/*",
}
"""What is neither JSON nor events, or may be neither."""


def _fixed_headers(endpoint: ProviderEndpoint, accept: str, credential: str) -> HeaderPairs:
    family = FAMILIES[endpoint.wire]
    ours = endpoint.authenticator is None and credential != CALLER
    key = endpoint.key(credential) if ours else None
    headers: HeaderPairs = (
        ("content-type", JSON),
        ("accept", accept),
        # Some providers' front ends refuse requests that do not say who they are.
        ("user-agent", "interchange"),
        *family.headers,
        *(family.key_headers(key) if key else ()),
    )
    own = {name for name, _ in endpoint.headers}
    return tuple(pair for pair in headers if pair[0] not in own) + endpoint.headers


_NEVER_FORWARDED: Final = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key"})
_LISTS: Final = frozenset({"anthropic-beta", "openai-beta"})
"""Headers in which the caller's and the operator's values stand side by side."""


def _headers(way: _Way, call: UpstreamCall, encoded: EncodedRequest) -> Headers:
    """The fixed ones; on the same family also the caller's, in place of ours but not of the operator's."""
    headers: Headers = way.headers
    request = call.request
    if encoded.content_type != JSON:
        headers = [(n, encoded.content_type if n == "content-type" else v) for n, v in headers]
    if request.idempotency_key:
        headers = [*headers, ("idempotency-key", request.idempotency_key)]
    if call.trace:
        headers = [*headers, *call.trace]
    if not request.headers or not way.same_family:
        return headers
    operators = way.operators_headers
    callers: list[tuple[str, str]] = []
    for name, value in request.headers:
        if name in _NEVER_FORWARDED:
            continue
        if operators and name in operators:
            if name not in _LISTS:
                continue
            value = f"{operators[name]},{value}"
        callers.append((name, value))
    replaced = {name for name, _ in callers}
    return [pair for pair in headers if pair[0] not in replaced] + callers
