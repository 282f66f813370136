"""Work that goes on when whoever asked for it is gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

_unfinished: Final[set[asyncio.Task[None]]] = set()
"""The loop itself holds on to no task."""


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """What was begun in one store is finished, or undone, in the other. Raises as the work does."""
    task = asyncio.ensure_future(work)
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    await asyncio.shield(task)
