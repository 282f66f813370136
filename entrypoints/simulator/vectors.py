"""Deterministic embeddings: unit vectors in which texts with the same words are close."""

import math
import random
from functools import lru_cache
from typing import Any

from entrypoints.simulator.answers import draw_from
from entrypoints.simulator.conversation import Embedded, Rejected, Tokens, input_tokens

DIMENSIONS_DEFAULT = 1536
DIMENSIONS_MAX = 4096
_WORDS_MAX = 512


def embed(model: str, texts: list[str], dimensions: int | None) -> Embedded:
    """One vector per text.

    Raises:
        Rejected: the number of dimensions is out of range.
    """
    size = DIMENSIONS_DEFAULT if dimensions is None else dimensions
    if not isinstance(size, int) or not 1 <= size <= DIMENSIONS_MAX:
        raise Rejected(
            400, f"Invalid number of dimensions: expected 1 to {DIMENSIONS_MAX}.", param="dimensions"
        )
    vectors = tuple(_vector(model, text, size) for text in texts)
    tokens = sum(input_tokens(len(text.encode("utf-8", "surrogatepass"))) for text in texts)
    return Embedded(vectors, Tokens(input=max(tokens, 1)))


def texts_of(given: Any) -> list[str]:
    """The `input` of an embeddings request as texts; token arrays become their numbers.

    Raises:
        Rejected: it is neither text, nor tokens, nor a list of either.
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given:
        if all(isinstance(item, int) for item in given):
            return [" ".join(map(str, given))]
        if all(isinstance(item, str) for item in given):
            return given
        if all(isinstance(item, list) for item in given):
            return [" ".join(map(str, item)) for item in given]
    raise Rejected(400, "Missing or invalid parameter: 'input'.", kind="invalid_request_error", param="input")


def _vector(model: str, text: str, size: int) -> tuple[float, ...]:
    words = text.lower().split()[:_WORDS_MAX] or [""]
    sums = [0.0] * size
    for word in words:
        for at, part in enumerate(_word_vector(model, word, size)):
            sums[at] += part - 127.5
    length = math.sqrt(sum(part * part for part in sums)) or 1.0
    return tuple(part / length for part in sums)


@lru_cache(maxsize=2048)
def _word_vector(model: str, word: str, size: int) -> bytes:
    return random.Random(draw_from(model, word)).randbytes(size)
