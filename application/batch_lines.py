"""A file's chunks as numbered lines, however long the file is."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from application.ports.batch_wire import BatchWire
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from domain.batch.line import BatchLine, UnreadableLine

DIALECT_BY_ENDPOINT: Final = {
    "/v1/chat/completions": OPENAI_CHAT,
    "/v1/responses": OPENAI_RESPONSES,
    "/v1/embeddings": OPENAI_EMBEDDINGS,
    "/v1/completions": OPENAI_COMPLETIONS,
    "/v1/messages": ANTHROPIC_MESSAGES,
}


class RawLine(NamedTuple):
    """A line that is not blank, without its line feed; `raw` None: it was too long to keep."""

    number: int
    raw: bytes | None


async def lines_of(chunks: AsyncIterator[bytes], *, line_bytes_max: int) -> AsyncIterator[RawLine]:
    """The lines in order, counted from 1. Holds a chunk and at most one line."""
    number = 0
    left: list[bytes] = []
    left_bytes = 0
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            number += 1
            if left_bytes + len(part) > line_bytes_max:
                yield RawLine(number, None)
            elif raw := b"".join((*left, part)).strip():
                yield RawLine(number, raw)
            left, left_bytes = [], 0
        left_bytes += len(rest)
        if left_bytes <= line_bytes_max:
            left.append(rest)
        else:
            left = []
    if left_bytes > line_bytes_max:
        yield RawLine(number + 1, None)
    elif raw := b"".join(left).strip():
        yield RawLine(number + 1, raw)


def understood(wire: BatchWire, line: RawLine, line_bytes_max: int) -> BatchLine:
    """The request on a line. Raises UnreadableLine."""
    if line.raw is None:
        raise UnreadableLine("line_too_long", f"the line is over the limit of {line_bytes_max} bytes")
    return wire.read(line.number, line.raw)
