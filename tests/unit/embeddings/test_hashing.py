"""What hashed words find, and what they do not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.embeddings.hashing import TEXTS_MAX, HashingEmbedder
from contracts.ports.embedder import cosine
from domain.errors import StoreUnavailable

EMBEDDER = HashingEmbedder()


async def similarity(one: str, other: str) -> float:
    first, second = await EMBEDDER.embed([one, other])
    return cosine(first, second)


async def test_order_and_small_edits_are_found() -> None:
    assert await similarity("reset my password now", "reset my password") > 0.8
    assert await similarity("how do i reset passwords?", "how do I reset password?") > 0.8


async def test_other_words_of_the_same_meaning_are_not() -> None:
    assert await similarity("buy a car", "purchase an automobile") < 0.3


async def test_one_word_of_opposite_meaning_still_looks_alike() -> None:
    assert (
        await similarity("how can I become more active at work", "how can I become less active at work") > 0.7
    )


async def test_an_empty_text_has_a_vector_too() -> None:
    assert await similarity("", " ") == pytest.approx(1.0)


async def test_too_many_texts_at_once_are_refused() -> None:
    with pytest.raises(StoreUnavailable):
        await EMBEDDER.embed(["x"] * (TEXTS_MAX + 1))


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=50)
async def test_cosines_are_cosines(one: str, other: str) -> None:
    assert -1.001 <= await similarity(one, other) <= 1.001
