"""The best index that this installation can have in its process."""

from dataclasses import dataclass

from adapters.vectors.deferred import DeferredVectorIndex
from adapters.vectors.extra import missing_package
from adapters.vectors.in_process import BYTES_MAX, VECTORS_MAX, InProcessVectorIndex
from adapters.vectors.plain import VECTORS_MAX as PLAIN_VECTORS_MAX
from adapters.vectors.plain import PlainVectorIndex
from application.ports.vector_index import VectorIndex, VectorSnapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedIndex:
    """`snapshots` is the same index where it can keep itself on disk. `reason` says why it is only the plain
    one; empty: it is not."""

    index: VectorIndex
    snapshots: VectorSnapshots | None
    reason: str


def open_in_process(
    embedder_id: str, dimensions: int, *, vectors_max: int = VECTORS_MAX, bytes_max: int = BYTES_MAX
) -> OpenedIndex:
    """Opens nothing outside the process, and imports nothing large before the first use.

    Close it in the event loop that uses it.
    """
    reason = missing_package()
    if reason:
        plain = PlainVectorIndex(embedder_id, dimensions, vectors_max=min(PLAIN_VECTORS_MAX, vectors_max))
        return OpenedIndex(index=plain, snapshots=None, reason=reason)

    def make() -> InProcessVectorIndex:
        return InProcessVectorIndex(embedder_id, dimensions, vectors_max=vectors_max, bytes_max=bytes_max)

    index = DeferredVectorIndex(make)
    return OpenedIndex(index=index, snapshots=index, reason="")
