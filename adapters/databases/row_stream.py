"""A result as a stream of bytes, in constant memory: one batch of rows at a time."""

from collections.abc import AsyncIterator, Sequence

from adapters.databases.row_formats import Batch, RowFormat
from application.ports.connector import ByteStream
from application.ports.database_engine import RowCursor
from domain.errors import ToolTimeout


class RowStream(ByteStream):
    """Closes its cursor at the end, and when it is closed."""

    def __init__(self, cursor: RowCursor, rows: RowFormat) -> None:
        self.content_type = rows.content_type
        self.headers: Sequence[tuple[str, str]] = ()
        self._cursor = cursor
        self._format = rows
        self._batches: AsyncIterator[Batch] | None = None
        self._ended = False

    async def next_chunk(self) -> bytes:
        try:
            while not self._ended:
                if chunk := await self._next():
                    return chunk
        except BaseException:
            await self.aclose()
            raise
        return b""

    async def _next(self) -> bytes:
        if self._batches is None:
            self._batches = aiter(self._cursor.batches())
            return self._format.begin(self._cursor.columns, self._cursor.types)
        try:
            batch = await anext(self._batches)
        except StopAsyncIteration:
            self._ended = True
            await self._cursor.aclose()
            return self._format.end()
        except TimeoutError:
            raise ToolTimeout("the result did not come to its end in time") from None
        return self._format.rows(batch)

    async def aclose(self) -> None:
        self._ended = True
        await self._cursor.aclose()
