"""What a provider's batch is made of and what is kept of its lines, apart from the order of steps."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from application.batch_run import BatchRun
from application.ports.file_store import FileContents
from application.ports.http import BodySource
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from domain.analytics.event import RequestEvent
from domain.batch.progress import Progress, TryEnded, guessed
from domain.catalog.prices import BATCH
from domain.errors import StoreUnavailable
from domain.llm.request import LlmRequest, Operation
from domain.routing.target import Target

OPERATION_BY_DIALECT: Final = {
    OPENAI_CHAT: Operation.CHAT,
    OPENAI_RESPONSES: Operation.CHAT,
    OPENAI_EMBEDDINGS: Operation.EMBEDDINGS,
    OPENAI_COMPLETIONS: Operation.COMPLETION,
    ANTHROPIC_MESSAGES: Operation.CHAT,
}


class KnownLine(NamedTuple):
    """What is kept of a line while the provider works."""

    custom_id: str
    model: str
    bound_nano_usd: int | None = None
    """The most it can cost; None: nothing bounds it, or nobody asked."""


class SpooledDocument(BodySource):
    """The document for the provider, as it lies on our disk."""

    def __init__(self, contents: FileContents, tenant_id: str, file_id: str, size_bytes: int) -> None:
        self._contents, self._tenant_id, self._file_id = contents, tenant_id, file_id
        self.size_bytes = size_bytes

    def chunks(self) -> AsyncIterator[bytes]:
        return self._contents.read(self._tenant_id, self._file_id)


def shape_of(dialect: str, model: str) -> LlmRequest:
    """What a result's translation and its usage need of the request; its body is not kept."""
    operation = OPERATION_BY_DIALECT[dialect]
    return LlmRequest(operation=operation, dialect=dialect, model=model, body=b"{}")


def keep_record(run: BatchRun, records: list[TryEnded], record: TryEnded) -> None:
    """Into the journal before anything else learns it; what the journal refuses now is written later."""
    try:
        run.write(record)
    except StoreUnavailable:
        records.append(record)


class LinesBill:
    """What all lines of a batch cost together, as exactly as the provider told it."""

    def __init__(self) -> None:
        self._beyond: int | None = 0
        self._guessed = 0

    def take(self, event: RequestEvent | None, bound_nano_usd: int | None) -> None:
        """A line whose row was written by this process."""
        if event is None or not guessed(event):
            return
        self._guessed += 1
        if self._beyond is not None and bound_nano_usd is not None:
            self._beyond += max(0, bound_nano_usd - (event.cost_nano_usd or 0))
        else:
            self._beyond = None

    def total(self, progress: Progress) -> int | None:
        """The sum, with the bound of each line that nobody counted; None: all that was set aside, because
        there are such lines whose bounds are not known here."""
        if self._beyond is None or self._guessed != progress.guessed:
            return None
        return progress.cost_nano_usd + self._beyond


def cheaper_in_batches(target: Target) -> bool:
    """Whether its provider charges less for what comes in a batch."""
    prices = target.offering.prices
    if prices.variant(BATCH) is not None:
        return True
    return prices.batch_multiplier_percent is not None and prices.batch_multiplier_percent < 100


def spool_id(run: BatchRun) -> str:
    """Under which id the document for the provider lies on our disk."""
    return f"file-{run.batch.batch_id.removeprefix('batch_')}-upstream"


def upstream_id(run: BatchRun, number: int) -> str:
    """At most 64 of the characters every provider allows; also says whose batch it is."""
    return f"{run.batch.batch_id[-12:]}-{number}"


def number_of(run: BatchRun, upstream_id: str) -> int:
    """Whose line it is; 0: none of this batch's."""
    prefix, _, number = upstream_id.rpartition("-")
    return int(number) if prefix == run.batch.batch_id[-12:] and number.isdigit() else 0
