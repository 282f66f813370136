"""A provider's own REST resources: stored responses, files, batches; whatever is not a model call.

Failure policy: `UpstreamFailed` when there is no answer (not configured, no proof of identity, no
connection, too late, body cut); its failure says whether anything was sent. An answer with an error status
is an answer: it is returned as it came, redacted, with a `failure` that classifies it, so that the caller
can pass it on or act on it. Cancelling an await ends the exchange. Nothing is retried here.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from application.ports.http import BodySource
from domain.llm.failures import Failure

RESOURCE_TIMEOUT_S = 60.0
RESOURCE_IDLE_TIMEOUT_S = 60.0

HeaderPairs = tuple[tuple[str, str], ...]


class ResourceRequest(NamedTuple):
    """One request for something a provider keeps.

    `provider` is the operator's name, `credential` the id of one of its keys (empty: its only one).
    `path` starts with `/` and is percent-encoded; it is taken below the base URL without a version at its
    end when it names one itself (`/v1/messages/batches`), else below the base URL (`/files`). `headers` in
    lower case, after ours and in place of ours of that name; credentials among them are not sent.
    `timeout_s` bounds everything until the end of the answer, `idle_timeout_s` each wait for bytes.
    """

    provider: str
    method: str
    path: str
    credential: str = ""
    query: tuple[tuple[str, str], ...] = ()
    headers: HeaderPairs = ()
    body: bytes | BodySource = b""
    content_type: str = ""
    """Of the body; empty: application/json where there is one."""
    timeout_s: float = RESOURCE_TIMEOUT_S
    idle_timeout_s: float = RESOURCE_IDLE_TIMEOUT_S


class ResourceAnswer(NamedTuple):
    """A whole answer, whatever its status."""

    status: int
    headers: HeaderPairs
    """All but those of the connection, the provider's host and the operator's account; lower case."""
    body: bytes
    content_type: str
    failure: Failure | None
    """What an error status means; None below 400."""


class ResourceStream(Protocol):
    """An answer whose headers are here. Always `close()` it.

    The body of an error status is already read, at most 64 KiB of it, and comes as one chunk.
    """

    status: int
    headers: HeaderPairs
    content_type: str
    failure: Failure | None

    @abstractmethod
    async def next_chunk(self) -> bytes:
        """Bytes as they arrive; `b""` at the natural end. Raises UpstreamFailed."""
        ...

    @abstractmethod
    def close(self) -> None:
        """Ends the exchange. Idempotent, never waits."""
        ...


class ProviderResources(Protocol):
    """Requests are proven, bounded and judged by the egress rules exactly as model calls are."""

    @abstractmethod
    def reaches(self, provider: str) -> bool:
        """Whether such a provider is configured with an address of its own. Never waits."""
        ...

    @abstractmethod
    async def fetch(self, request: ResourceRequest) -> ResourceAnswer:
        """The whole answer, at most as large as the transport allows. Raises UpstreamFailed."""
        ...

    @abstractmethod
    async def open(self, request: ResourceRequest) -> ResourceStream:
        """The answer as it arrives. Raises UpstreamFailed."""
        ...
