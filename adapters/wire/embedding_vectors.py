"""Requests for embeddings that Interchange itself makes, and the vectors in their answers."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from application.ports.embedding_wire import EmbeddingWire

NUMBERS_MAX: Final = 16_384
"""Of one vector."""


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


_ANSWERS: Final = msgspec.json.Decoder(_Answer)


class OpenAiEmbeddings(EmbeddingWire):
    """Asks for plain numbers, which every translation knows."""

    def body(self, model: str, texts: Sequence[str]) -> bytes:
        return msgspec.json.encode({"model": model, "input": list(texts), "encoding_format": "float"})

    def vectors(self, body: bytes, count: int) -> list[list[float]]:
        try:
            items = _ANSWERS.decode(body).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"no embeddings: {error}") from None
        found = {item.index: item.embedding for item in items}
        if len(items) != count or found.keys() != set(range(count)):
            raise ValueError(f"{len(items)} embeddings of {count}")
        for vector in found.values():
            if not 0 < len(vector) <= NUMBERS_MAX or not all(map(math.isfinite, vector)):
                raise ValueError("an embedding that is not a vector of finite numbers")
        return [found[place] for place in range(count)]
