"""The local embedder: MiniLM in a thread beside the event loop.

Texts that the model reads alike (case, accents, white space) are one text. A text with a word that the model
has no pieces for, such as an emoji, counts as too long: it would look like any other such text.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from adapters.embeddings.engine_thread import EngineThread
from adapters.embeddings.model import Model
from adapters.embeddings.model_files import MODEL
from adapters.embeddings.wordpiece import Reading, WordPieces
from application.ports.embedder import Embedder, Vector
from domain.errors import StoreUnavailable

TOKENS_MAX: Final = 128
"""What the model was trained on."""
CHARS_MAX: Final = 8_192
"""Longer texts are too long without being read."""
VECTORS_KEPT: Final = 8_192
"""Recent texts whose vector is remembered: about 2 KB each."""


class MiniLm(Embedder):
    """Belongs to one event loop. The model is loaded in its thread, by `warm` or with the first text."""

    dimensions = 384
    tokens_max = TOKENS_MAX

    def __init__(self, pieces: Iterable[str], load: Callable[[], Model], *, precision: str) -> None:
        self.id = f"{MODEL}/{precision}"
        self._pieces = WordPieces(pieces)
        self._recent = _RecentVectors()
        self._engine = EngineThread(load, self._recent.keep)

    async def warm(self) -> None:
        """Loads the model and runs it once. Raises StoreUnavailable."""
        await self.embed(["a first question, before anybody waits for one"])

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        readings = {text: self._read(text) for text in texts}
        keys = {text: _key(reading) for text, reading in readings.items()}
        vectors: dict[bytes, Vector] = {}
        missing: dict[bytes, Sequence[int]] = {}
        for text, key in keys.items():
            vector = self._recent.get(key)
            if vector is None:
                missing[key] = readings[text].ids
            else:
                vectors[key] = vector
        if missing:
            vectors |= await self._engine.vectors(missing)
        return [vectors[keys[text]] for text in texts]

    def count_tokens(self, text: str) -> int:
        if len(text) > CHARS_MAX:
            return TOKENS_MAX + 1
        reading = self._pieces.read(text)
        return TOKENS_MAX + 1 if reading.unknown else len(reading.ids)

    async def aclose(self) -> None:
        self._engine.close()

    def _read(self, text: str) -> Reading:
        if len(text) <= CHARS_MAX:
            reading = self._pieces.read(text)
            if len(reading.ids) <= TOKENS_MAX and not reading.unknown:
                return reading
        raise StoreUnavailable(f"{self.id} reads {TOKENS_MAX} pieces it knows; this text has more, or others")


def _key(reading: Reading) -> bytes:
    return array("H", reading.ids).tobytes()


class _RecentVectors:
    """Bounded; the least recently used leave."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()

    def keep(self, key: bytes, vector: Vector) -> None:
        self._vectors[key] = vector
        if len(self._vectors) > VECTORS_KEPT:
            self._vectors.popitem(last=False)

    def get(self, key: bytes) -> Vector | None:
        found = self._vectors.get(key)
        if found is not None:
            self._vectors.move_to_end(key)
        return found
