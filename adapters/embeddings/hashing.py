"""Vectors without any model: which words, pairs of words and groups of letters a text has, hashed to places.

It finds the same question in another order, with other inflections or small edits, and nothing else:
"buy" and "purchase" have nothing in common here, and one changed word of ten still looks very similar.
"""

import math
import re
import struct
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from application.ports.embedder import Embedder, Vector
from domain.errors import StoreUnavailable

DIMENSIONS: Final = 512
TOKENS_MAX: Final = 128
CHARS_MAX: Final = 8_192
TEXTS_MAX: Final = 256
"""In one call; each takes a tenth of a millisecond of the event loop."""
_PACKED: Final = struct.Struct(f"<{DIMENSIONS}f")
_WORDS: Final = re.compile(r"\w+|[^\w\s]")
_WEIGHTS: Final = {"w": 1.0, "b": 0.7, "c": 0.5}
"""Words count most, then neighbours, then the letters inside."""


class HashingEmbedder(Embedder):
    """The same on every machine and in every version; nothing is loaded, nothing can fail."""

    id = "hashing-1/fp32"
    dimensions = DIMENSIONS
    tokens_max = TOKENS_MAX

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if len(texts) > TEXTS_MAX:
            raise StoreUnavailable(f"more than {TEXTS_MAX} texts at once")
        return [self._vector(text) for text in texts]

    def count_tokens(self, text: str) -> int:
        return TOKENS_MAX + 1 if len(text) > CHARS_MAX else len(_WORDS.findall(text))

    async def aclose(self) -> None:
        return None

    def _vector(self, text: str) -> Vector:
        if self.count_tokens(text) > TOKENS_MAX:
            raise StoreUnavailable(f"the text has more than the {TOKENS_MAX} words that {self.id} reads")
        numbers = [0.0] * DIMENSIONS
        for feature, count in _features(text.lower()).items():
            hashed = int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=4).digest())
            weight = _WEIGHTS[feature[0]] * (1.0 + math.log(count))
            numbers[(hashed >> 1) % DIMENSIONS] += weight if hashed & 1 else -weight
        length = math.sqrt(sum(number * number for number in numbers))
        if not length:
            numbers[0] = length = 1.0
        return _PACKED.pack(*(number / length for number in numbers))


def _features(text: str) -> Counter[str]:
    words = _WORDS.findall(text)
    found = Counter(f"w{word}" for word in words)
    found.update(f"b{one} {other}" for one, other in pairwise(words))
    for word in words:
        framed = f" {word} "
        found.update(f"c{framed[place : place + 3]}" for place in range(len(framed) - 2))
    return found
