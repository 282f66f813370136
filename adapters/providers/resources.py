"""What a provider keeps, asked for directly with the account's own proof of identity."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.families import FAMILIES
from adapters.wire.addresses import Base, parse_base
from adapters.wire.errors import open_headers, read_failure
from adapters.wire.exchange import transport_failure
from application.ports.http import HttpRequest, HttpResponse, HttpTransport, TransportFailed, header
from application.ports.llm import UpstreamFailed
from application.ports.resources import (
    HeaderPairs,
    ProviderResources,
    ResourceAnswer,
    ResourceRequest,
    ResourceStream,
)
from application.ports.system import Clock
from domain.llm.failures import Failure, FailureKind

JSON: Final = "application/json"
CONNECT_TIMEOUT_S: Final = 5.0
_VERSIONS: Final = ("/v1beta", "/v1")
_NEVER_FORWARDED: Final = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "content-length", "content-type", "host"}
)


class DirectResources(ProviderResources):
    """Every provider with an endpoint of its own. Keeps connections in the transport, nothing else."""

    def __init__(
        self, transport: HttpTransport, clock: Clock, endpoints: Mapping[str, ProviderEndpoint]
    ) -> None:
        """`endpoints` by the operator's provider names. Raises ValueError for a base URL that is none."""
        self._transport = transport
        self._clock = clock
        self._endpoints: dict[str, tuple[ProviderEndpoint, Base]] = {}
        self._secrets: tuple[str, ...] = ()
        self.set_endpoints(endpoints)

    def set_endpoints(self, endpoints: Mapping[str, ProviderEndpoint]) -> None:
        """Other providers from the next request on.

        Raises ValueError for a base URL that is none; nothing changes then.
        """
        self._endpoints = {name: (each, parse_base(each.base_url)) for name, each in endpoints.items()}
        self._secrets = tuple(secret for endpoint in endpoints.values() for secret in endpoint.secrets)

    def reaches(self, provider: str) -> bool:
        return provider in self._endpoints

    async def fetch(self, request: ResourceRequest) -> ResourceAnswer:
        response = await self._send(request)
        try:
            body = await response.read()
        except TransportFailed as error:
            raise UpstreamFailed(transport_failure(error)) from None
        failure = self._failure(request, response, body)
        if failure is not None:
            body = failure.body or b""
        headers = open_headers(response.headers) if failure is None else failure.headers
        return ResourceAnswer(response.status, headers, body, _content_type(response), failure)

    async def open(self, request: ResourceRequest) -> ResourceStream:
        response = await self._send(request)
        if response.status < 400:
            return _OpenResource(response, None)
        try:
            body = await response.read()
        except TransportFailed as error:
            raise UpstreamFailed(transport_failure(error)) from None
        return _OpenResource(response, self._failure(request, response, body))

    async def _send(self, request: ResourceRequest) -> HttpResponse:
        known = self._endpoints.get(request.provider)
        if known is None:
            message = f"the provider {request.provider} is not configured"
            raise UpstreamFailed(Failure(kind=FailureKind.MODEL_MISSING, message=message, sent=False))
        endpoint, base = known
        whole = isinstance(request.body, bytes)
        outgoing = HttpRequest(
            request.method,
            base.endpoint,
            _target(base, request),
            _headers(endpoint, request),
            request.body if isinstance(request.body, bytes) else b"",
            CONNECT_TIMEOUT_S,
            request.timeout_s if whole else request.idle_timeout_s,
            request.idle_timeout_s,
            request.timeout_s,
            None if isinstance(request.body, bytes) else request.body,
        )
        if endpoint.authenticator is not None:
            outgoing = await endpoint.authenticator.sign(outgoing, request.credential)
        try:
            transport = endpoint.transport or self._transport
            return await transport.send(outgoing)
        except TransportFailed as error:
            raise UpstreamFailed(transport_failure(error)) from None

    def _failure(self, request: ResourceRequest, response: HttpResponse, body: bytes) -> Failure | None:
        if response.status < 400:
            return None
        return read_failure(
            request.provider,
            response.status,
            response.headers,
            body,
            self._clock.utc_now(),
            secrets=self._secrets,
        )


class _OpenResource(ResourceStream):
    """An answer on its way, or one with an error status that is here already."""

    __slots__ = ("_left", "_response", "content_type", "failure", "headers", "status")

    def __init__(self, response: HttpResponse, failure: Failure | None) -> None:
        self._response = response
        self._left = b"" if failure is None else failure.body or b""
        self.failure = failure
        self.status = response.status
        self.headers = open_headers(response.headers) if failure is None else failure.headers
        self.content_type = _content_type(response)

    async def next_chunk(self) -> bytes:
        if self.failure is not None:
            data, self._left = self._left, b""
            return data
        try:
            return await self._response.next_chunk()
        except TransportFailed as error:
            raise UpstreamFailed(transport_failure(error)) from None

    def close(self) -> None:
        self._response.close()


def _content_type(response: HttpResponse) -> str:
    return header(response.headers, "content-type") or JSON


def _target(base: Base, request: ResourceRequest) -> str:
    """The request target; a version in the path is not doubled, the base's own query is kept."""
    root = base.path
    if request.path.startswith(_VERSIONS):
        for version in _VERSIONS:
            root = root.removesuffix(version)
    query = "&".join(part for part in (urlencode(request.query), base.query) if part)
    return f"{root}{request.path}?{query}" if query else root + request.path


def _headers(endpoint: ProviderEndpoint, request: ResourceRequest) -> HeaderPairs:
    family = FAMILIES[endpoint.wire]
    key = endpoint.key(request.credential) if endpoint.authenticator is None else None
    headers: HeaderPairs = (
        ("accept", "*/*"),
        ("user-agent", "interchange"),
        *family.headers,
        *(family.key_headers(key) if key else ()),
    )
    if request.body != b"":
        headers = (("content-type", request.content_type or JSON), *headers)
    own = {name for name, _ in endpoint.headers}
    headers = tuple(pair for pair in headers if pair[0] not in own) + endpoint.headers
    callers = tuple(
        pair for pair in request.headers if pair[0] not in _NEVER_FORWARDED and pair[0] not in own
    )
    replaced = {name for name, _ in callers}
    return tuple(pair for pair in headers if pair[0] not in replaced) + callers
