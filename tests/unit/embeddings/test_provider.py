"""A provider's vectors: what is checked, what is remembered and for whom."""

from collections.abc import Sequence

import pytest

from adapters.embeddings.provider import TEXTS_MAX, ProviderVectors, dimensions_of
from adapters.wire.embedding_vectors import OpenAiEmbeddings
from contracts.ports.embedder import numbers
from domain.errors import InvalidRequest, StoreUnavailable


class Asked:
    """Answers every text with this vector, and notes what it was asked."""

    def __init__(self, *answer: float) -> None:
        self.answer = list(answer)
        self.texts: list[str] = []

    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [self.answer for _ in texts]


async def test_vectors_get_unit_length() -> None:
    embedder = ProviderVectors("acme/embed", 2).embedder("t1", Asked(3.0, 4.0))
    (vector,) = await embedder.embed(["x"])
    assert numbers(vector) == pytest.approx((0.6, 0.8))
    assert embedder.id == "acme/embed/2"


async def test_a_tenant_is_asked_once_and_another_for_itself() -> None:
    shared, asked = ProviderVectors("acme/embed", 2), Asked(1.0, 0.0)
    for tenant in ("t1", "t1", "t2"):
        await shared.embedder(tenant, asked).embed(["x", "x"])
    assert asked.texts == ["x", "x"]


@pytest.mark.parametrize("answer", [(1.0,), (1.0, 2.0, 3.0), (0.0, 0.0), (float("inf"), 1.0)])
async def test_a_vector_of_another_shape_is_refused_and_not_kept(answer: tuple[float, ...]) -> None:
    shared, asked = ProviderVectors("acme/embed", 2), Asked(*answer)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="gave a vector"):
            await shared.embedder("t1", asked).embed(["x"])
    assert len(asked.texts) == 2


async def test_bounds_are_kept_before_anybody_is_asked() -> None:
    asked = Asked(1.0, 0.0)
    embedder = ProviderVectors("acme/embed", 2).embedder("t1", asked)
    for texts in (["  "], ["word " * 2000], [str(number) for number in range(TEXTS_MAX + 1)]):
        with pytest.raises(StoreUnavailable):
            await embedder.embed(texts)
    assert asked.texts == []


def test_dimensions_are_known_or_said() -> None:
    assert dimensions_of("openai/text-embedding-3-small", None) == 1536
    assert dimensions_of("acme/own", 768) == 768
    with pytest.raises(InvalidRequest, match=r"cache\.embedder_dimensions"):
        dimensions_of("acme/own", None)


def test_answers_are_read_in_the_order_of_the_texts() -> None:
    body = b'{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1.5]}],"usage":{}}'
    assert OpenAiEmbeddings().vectors(body, 2) == [[1.5], [2.0]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"data":[]}',
        b'{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":"AACA"},{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":[1e999]},{"index":1,"embedding":[1]}]}',
    ],
)
def test_what_is_no_embedding_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        OpenAiEmbeddings().vectors(body, 2)
