"""Finding the open holds of a dead process in its folder, and forgetting them once they are in the ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from adapters.disk.board_format import machine_start, read_board, remove_board
from application.ports.hold_board import AbandonedHolds


class BoardRecovery:
    """Called with the folder of a process that is gone, which the caller has locked and whose rows are in the
    database; `lossy` says that some were lost. Interrupted at any point, it is simply called again."""

    def __init__(
        self,
        recover: Callable[[AbandonedHolds], Awaitable[None]],
        *,
        started: Callable[[], str] = machine_start,
    ) -> None:
        self._recover = recover
        self._started = started

    async def __call__(self, folder: Path, lossy: bool) -> None:
        """Raises OSError, and StoreUnavailable; then the board is still there."""
        found = await asyncio.to_thread(partial(read_board, folder, started=self._started(), lossy=lossy))
        if found is not None:
            await self._recover(found)
        await asyncio.to_thread(partial(remove_board, folder, damaged=found is not None and found.damaged))
