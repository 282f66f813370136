"""Batches at a provider: handed over whole, looked after until they end, fetched line by line.

Failure policy: `UpstreamFailed` as for model calls; its failure says whether anything was sent. Nothing is
retried here. A batch that was handed over is found again by its marker, so that one whose hand-over ended in
a crash is neither lost nor made twice.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from application.ports.http import BodySource
from domain.llm.request import LlmRequest
from domain.llm.usage import Usage
from domain.routing.target import Target


class Marker(NamedTuple):
    """What tells our batch from others of the same account."""

    batch_id: str
    lines: int
    made_after_us: int
    """UTC epoch microseconds before which it cannot have been made."""


class ProviderBatchState(NamedTuple):
    """How a batch at a provider is doing. `message` says why it failed as a whole."""

    ended: bool
    completed: int = 0
    failed: int = 0
    message: str = ""
    handles: tuple[str, ...] = ()
    """Where its results are, in the provider's words."""


class ProviderLine(NamedTuple):
    """What became of one line: a raw answer, or an error with its status (0: never asked)."""

    custom_id: str
    status: int
    body: bytes
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class TranslatedAnswer(NamedTuple):
    """A line's answer in the caller's dialect."""

    body: bytes
    usage: Usage | None
    finish_reason: str | None


class ProviderBatches(Protocol):
    """Batch APIs of the providers that have one (`Target.batch_api`)."""

    @abstractmethod
    def offers(self, target: Target, dialect: str) -> bool:
        """Whether requests of this dialect can be batched there. Never waits."""
        ...

    @abstractmethod
    def encode(self, target: Target, request: LlmRequest, custom_id: str) -> bytes:
        """One request as its batch API wants it. Pure. Raises UpstreamFailed (CALLER_FAULT)."""
        ...

    @abstractmethod
    def document(self, target: Target, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """All encoded requests as the one document that is handed over."""
        ...

    @abstractmethod
    async def submit(self, target: Target, dialect: str, document: BodySource, marker: Marker) -> str:
        """Hands a document over; the provider's id of the batch. Raises UpstreamFailed."""
        ...

    @abstractmethod
    async def find(self, target: Target, marker: Marker) -> str | None:
        """The id of a batch that was handed over under this marker; None: there is none.

        Raises UpstreamFailed, also when several could be it.
        """
        ...

    @abstractmethod
    async def poll(self, target: Target, batch: str) -> ProviderBatchState:
        """Raises UpstreamFailed."""
        ...

    @abstractmethod
    async def cancel(self, target: Target, batch: str) -> None:
        """Asks for its end; no error when it is over. Raises UpstreamFailed."""
        ...

    @abstractmethod
    def results(self, target: Target, batch: str, state: ProviderBatchState) -> AsyncIterator[ProviderLine]:
        """Every line that has a result, in any order. Raises UpstreamFailed while iterating."""
        ...

    @abstractmethod
    def translate(self, target: Target, request: LlmRequest, body: bytes) -> TranslatedAnswer:
        """A raw answer in the dialect of `request`. Pure. Raises UpstreamFailed (BAD_RESPONSE)."""
        ...
