"""The parts every wire of direct providers is described by. Rows are in `families.py`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Raw

from adapters.wire.addresses import Base, upstream_path
from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.exchange import FailureReader
from application.ports.http import HttpRequest, HttpTransport
from application.ports.llm import UpstreamAnswer, UpstreamCall, UpstreamStream

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.encode

HeaderPairs = tuple[tuple[str, str], ...]
BodyEdit = Callable[[dict[str, Any]], None]
"""Changes the top level of a JSON body in place; values it does not touch are raw and keep their bytes."""


class Address(NamedTuple):
    """What a path is made of. `dialect` is the one spoken upstream, `tags` are the target's."""

    base: Base
    dialect: str
    model: str
    stream: bool
    options: Mapping[str, str]
    tags: frozenset[str] = frozenset()


class Site(NamedTuple):
    """Where a model is asked, before anything is known of the request. `base_path` has no trailing slash."""

    base_path: str
    model: str


def plain_path(address: Address) -> str:
    """The path of the dialect below the base URL."""
    return upstream_path(address.base, address.dialect, address.model, stream=address.stream)


def bearer(key: str) -> HeaderPairs:
    """`Authorization: Bearer`."""
    return (("authorization", f"Bearer {key}"),)


def no_edit(address: Address) -> BodyEdit | None:  # noqa: ARG001 - the signature of `Family.edit`
    """For wires whose bodies go as their dialect says."""
    return None


class AnExchange(Protocol):
    """Carries prepared requests to a provider and reads answers; `adapters.wire.exchange.Exchange` is one."""

    async def complete(
        self, codec: Codec, call: UpstreamCall, request: HttpRequest, dropped: tuple[str, ...] = ()
    ) -> UpstreamAnswer: ...

    async def open_stream(
        self, codec: Codec, call: UpstreamCall, request: HttpRequest, dropped: tuple[str, ...] = ()
    ) -> UpstreamStream: ...


class Family(NamedTuple):
    """One wire.

    `dialects` say what is spoken upstream for each caller's dialect. `vendor` is whose headers and error
    bodies travel unmodified (a value of `application.ports.wire.FAMILY`). `key_headers` carry a plain key.
    `dialects_at` replaces `dialects` where the model or the kind of address decides; it must be cheap.
    `edit` gives the last change to bodies of one address, None for none. `exchange` makes what carries a
    request where one request is not enough, None for the usual. `base_url` makes the address where
    the operator names none; it raises ValueError, naming the missing option.
    """

    vendor: str
    dialects: Mapping[str, str]
    key_headers: Callable[[str], HeaderPairs]
    headers: HeaderPairs = ()
    path: Callable[[Address], str] = plain_path
    dialects_at: Callable[[Site], Mapping[str, str]] | None = None
    edit: Callable[[Address], BodyEdit | None] = no_edit
    base_url: Callable[[Mapping[str, str]], str] | None = None
    completed: Callable[[str, Mapping[str, str]], str] | None = None
    exchange: Callable[[HttpTransport, FailureReader], AnExchange] | None = None

    def address(self, given: str | None, options: Mapping[str, str]) -> str | None:
        """The base URL to call: the operator's, `completed` where a short form is known, or our own making.

        None: neither is there. Raises ValueError, beginning with the option it is about.
        """
        if given:
            return given if self.completed is None else self.completed(given, options)
        return None if self.base_url is None else self.base_url(options)

    def spoken(self, site: Site) -> Mapping[str, str]:
        """The dialects at one site, by the caller's."""
        return self.dialects if self.dialects_at is None else self.dialects_at(site)


def raw_json(value: object) -> Raw:
    """A value as a `BodyEdit` sets it."""
    return Raw(_encode(value))


class EditedCodec(Codec):
    """A codec whose requests get one last edit; answers are its own."""

    def __init__(self, codec: Codec, edit: BodyEdit) -> None:
        self.upstream_dialect = codec.upstream_dialect
        self._codec = codec
        self._edit = edit

    def request(self, call: UpstreamCall) -> EncodedRequest:
        encoded = self._codec.request(call)
        if not encoded.content_type.startswith("application/json"):
            return encoded
        fields: dict[str, Any] = _FIELDS.decode(encoded.body)
        before = dict(fields)
        self._edit(fields)
        return encoded if fields == before else encoded._replace(body=_encode(fields))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        return self._codec.response(body, call)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        return self._codec.stream(call)
