"""What every Embedder promises."""

import asyncio
import contextlib
import math
import struct

import pytest

from application.ports.embedder import Embedder, Vector
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

QUESTION = "How do I reset my password?"
REORDERED = "My password: how do I reset it?"
UNRELATED = "Which planets of the solar system have rings?"


def cosine(one: Vector, other: Vector) -> float:
    """Of two vectors of unit length."""
    return sum(a * b for a, b in zip(numbers(one), numbers(other), strict=True))


def numbers(vector: Vector) -> tuple[float, ...]:
    """As floats."""
    return struct.unpack(f"<{len(vector) // 4}f", vector)


class EmbedderContract(PortContract):
    """Bind `embedder`, and `broken`: one whose model is not there."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Embedder:
        raise NotImplementedError

    async def test_each_text_gets_a_vector_of_unit_length_in_its_place(self, embedder: Embedder) -> None:
        texts = [QUESTION, UNRELATED, QUESTION]
        vectors = await embedder.embed(texts)
        assert [len(vector) for vector in vectors] == [4 * embedder.dimensions] * 3
        assert all(math.isclose(cosine(vector, vector), 1.0, abs_tol=1e-4) for vector in vectors)
        assert vectors[0] == vectors[2] != vectors[1]

    async def test_no_texts_are_no_vectors(self, embedder: Embedder) -> None:
        assert await embedder.embed([]) == []

    async def test_a_text_has_the_same_vector_alone_and_among_others(self, embedder: Embedder) -> None:
        among = await embedder.embed([UNRELATED, QUESTION, f"{UNRELATED} {UNRELATED}"])
        alone = await embedder.embed([QUESTION])
        assert cosine(among[1], alone[0]) == pytest.approx(1.0, abs=1e-4)

    async def test_what_is_asked_alike_is_nearer_than_what_is_not(self, embedder: Embedder) -> None:
        asked, alike, unrelated = await embedder.embed([QUESTION, REORDERED, UNRELATED])
        assert cosine(asked, alike) > cosine(asked, unrelated) + 0.2

    async def test_its_name_says_model_and_precision(self, embedder: Embedder) -> None:
        assert "/" in embedder.id
        assert embedder.dimensions > 0

    async def test_longer_texts_have_more_tokens(self, embedder: Embedder) -> None:
        assert 0 < embedder.count_tokens(QUESTION) < embedder.count_tokens(QUESTION * 3)
        assert embedder.count_tokens(QUESTION) <= embedder.tokens_max

    async def test_a_text_beyond_what_it_reads_is_counted_so_and_refused(self, embedder: Embedder) -> None:
        long = "word " * (embedder.tokens_max * 5)
        assert embedder.count_tokens(long) > embedder.tokens_max
        with pytest.raises(StoreUnavailable):
            await embedder.embed([long])
        assert await embedder.embed([QUESTION])

    async def test_texts_that_nobody_would_write_do_no_harm(self, embedder: Embedder) -> None:
        for text in ("\x00\x07", "\ud800", "ß" * 90, "\u202e", "e\u0301" * 50, "漢字" * 30):
            if embedder.count_tokens(text) <= embedder.tokens_max:
                try:
                    (vector,) = await embedder.embed([text])
                except StoreUnavailable:
                    continue
                assert all(map(math.isfinite, numbers(vector)))

    async def test_many_at_once_each_get_their_own(self, embedder: Embedder) -> None:
        texts = [f"What is the capital of country number {number}?" for number in range(40)]
        at_once = await asyncio.gather(*(embedder.embed([text]) for text in texts))
        for text, (vector,) in zip(texts[::7], at_once[::7], strict=True):
            (again,) = await embedder.embed([text])
            assert cosine(vector, again) == pytest.approx(1.0, abs=1e-4)

    async def test_one_who_leaves_takes_nothing_from_others(self, embedder: Embedder) -> None:
        leaving = asyncio.ensure_future(embedder.embed([UNRELATED]))
        staying = asyncio.ensure_future(embedder.embed([UNRELATED, QUESTION]))
        await asyncio.sleep(0)
        leaving.cancel()
        assert len(await staying) == 2
        with contextlib.suppress(asyncio.CancelledError):
            await leaving

    async def test_without_its_model_it_says_so(self, broken: Embedder) -> None:
        with pytest.raises(StoreUnavailable):
            await broken.embed([QUESTION])
