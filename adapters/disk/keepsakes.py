"""What a process knows of similar questions, in a directory for the next one.

<directory>/learned.json   what was learned of each tenant's route
<directory>/index…         the index in memory, as it writes itself
"""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from adapters.disk.file_contents import Blocking
from application.ports.keepsakes import Keepsakes, Learned
from application.ports.vector_index import VectorSnapshots
from domain.caching.entry import Position
from domain.errors import StoreUnavailable

FORM: Final = 1
FILE: Final = "learned.json"
INDEX: Final = "index"
BYTES_MAX: Final = 256 * 1024 * 1024


class DiskKeepsakes(Keepsakes):
    """Of one embedder, by whose name what was saved under another is left alone. `index`: None where vectors
    are kept elsewhere."""

    def __init__(
        self, directory: Path, embedder_id: str, thread: Blocking, index: VectorSnapshots | None
    ) -> None:
        self._directory = directory
        self._embedder_id = embedder_id
        self._thread = thread
        self._index = index

    async def load(self) -> tuple[Position, Sequence[Learned]] | None:
        if self._index is not None:
            await self._index.load(self._directory / INDEX)
        text = await self._thread.call(self._read)
        return None if text is None else _read_learned(text, self._embedder_id)

    async def save(self, heard: Position, learned: Sequence[Learned]) -> None:
        text = json.dumps(
            {"form": FORM, "embedder": self._embedder_id, "heard": heard, "learned": learned}
        ).encode()
        await self._thread.call(lambda: self._write(text))
        if self._index is not None:
            await self._index.save(self._directory / INDEX, heard)

    def _read(self) -> bytes | None:
        try:
            with (self._directory / FILE).open("rb") as file:
                data = file.read(BYTES_MAX + 1)
        except OSError:
            return None
        return data if len(data) <= BYTES_MAX else None

    def _write(self, text: bytes) -> None:
        # Workers of one machine write to one place; each draft is its own, and the last one stays.
        draft = self._directory / f".{FILE}-{os.getpid()}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            draft.replace(self._directory / FILE)
        except OSError as error:
            raise StoreUnavailable(f"what was learned cannot be saved: {error.strerror}") from None


def _read_learned(text: bytes, embedder_id: str) -> tuple[Position, Sequence[Learned]] | None:
    try:
        told: Any = json.loads(text)
        if told["form"] != FORM or told["embedder"] != embedder_id:
            return None
        epoch, number = told["heard"]
        learned = [
            Learned(str(tenant_id), str(route), tuple(float(each) for each in numbers))
            for tenant_id, route, numbers in told["learned"]
        ]
        if not all(math.isfinite(each) for one in learned for each in one.numbers):
            return None
        return Position(str(epoch), int(number)), learned
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
