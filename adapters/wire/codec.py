"""What every dialect pair offers: body out, answer back, stream back, errors read. No I/O.

A codec is made once per (caller's dialect, provider's dialect) and holds no state; a stream gets a
decoder of its own. Same-family codecs forward bytes with surgical edits; cross-family codecs translate
through the pivot (`openai.chat`). What has no counterpart is named in `dropped`, or refused.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from application.ports.llm import Block, UpstreamCall
from domain.llm.usage import Usage


class EncodedRequest(NamedTuple):
    """A body ready for the provider, in the provider's dialect."""

    body: bytes
    dropped: tuple[str, ...] = ()
    content_type: str = "application/json"


class DecodedResponse(NamedTuple):
    """A complete unary answer, translated into the caller's dialect."""

    body: bytes
    usage: Usage | None
    finish_reason: str | None
    content_type: str = "application/json"


class StreamDecoder(Protocol):
    """One stream's decoder: bytes as they arrive in, whole frames in the caller's dialect out."""

    def begin(self, headers: Sequence[tuple[str, str]]) -> None:
        """The answer's headers, names in lower case, before anything is fed. Most need none of them."""
        del headers

    @abstractmethod
    def feed(self, data: bytes) -> Block:
        """Everything that is complete after `data`; `raw` may be empty. A malformed frame becomes a
        `Faulted` event (BAD_RESPONSE) and ends decoding; nothing raises. Frames over 16 MiB are malformed."""
        ...

    @abstractmethod
    def end(self) -> Block:
        """The connection ended: what a final unterminated frame still says."""
        ...


class Codec(Protocol):
    """One pair of dialects."""

    upstream_dialect: str

    @abstractmethod
    def request(self, call: UpstreamCall) -> EncodedRequest:
        """The provider's body: `target.model` in place of the asked name, usage always requested in
        streams, `continue_from` appended as prefill. Raises UpstreamFailed (CALLER_FAULT) for what
        cannot be said in the provider's dialect."""
        ...

    @abstractmethod
    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        """`call` adds what a translated answer may lack: the model's name, how vectors are wanted.

        Raises UpstreamFailed (BAD_RESPONSE) when the body is not an answer of the dialect.
        """
        ...

    @abstractmethod
    def stream(self, call: UpstreamCall) -> StreamDecoder: ...

    def unstreamed(self, body: bytes) -> bytes | None:  # noqa: ARG002 - most dialects have no use for it
        """A JSON document that came where a stream was asked for, as the bytes of the provider's stream; None
        where models do not overlook that wish, so that it is a mistake of the provider's."""
        return None
