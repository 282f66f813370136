"""The real model against what was computed independently of everything that runs it."""

from collections.abc import AsyncIterator

import pytest

from adapters.embeddings.minilm import MiniLm
from adapters.embeddings.model_files import ModelFiles
from adapters.embeddings.opening import open_minilm
from adapters.embeddings.wordpiece import WordPieces
from contracts.ports.embedder import cosine, numbers
from domain.errors import StoreUnavailable
from tests.minilm_world import installed_models
from tests.unit.embeddings.recorded import PIECES, VECTORS


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    return WordPieces(ModelFiles(installed_models("int8"), "int8").pieces())


@pytest.fixture
async def int8() -> AsyncIterator[MiniLm]:
    embedder = open_minilm(installed_models("int8"), "int8")
    yield embedder
    await embedder.aclose()


@pytest.fixture
async def fp32() -> AsyncIterator[MiniLm]:
    embedder = open_minilm(installed_models("fp32"), "fp32")
    yield embedder
    await embedder.aclose()


@pytest.mark.parametrize(("text", "ids"), PIECES)
def test_texts_of_many_scripts_are_read_as_the_published_tokenizer_reads_them(
    pieces: WordPieces, text: str, ids: list[int]
) -> None:
    assert list(pieces.read(text).ids) == ids


async def test_fp32_is_the_published_model(fp32: MiniLm) -> None:
    vectors = await fp32.embed([text for text, _ in VECTORS])
    for vector, (_, expected) in zip(vectors, VECTORS, strict=True):
        assert numbers(vector)[:8] == pytest.approx(expected, abs=1e-4)


async def test_int8_stays_near_it(int8: MiniLm, fp32: MiniLm) -> None:
    texts = [text for text, _ in VECTORS]
    for rough, exact in zip(await int8.embed(texts), await fp32.embed(texts), strict=True):
        assert cosine(rough, exact) > 0.985


async def test_case_and_spaces_make_no_other_text(int8: MiniLm) -> None:
    one, other = await int8.embed(["How do I  reset my PASSWORD?", "how do i reset my password ?"])
    assert one == other


async def test_a_text_with_words_the_model_does_not_know_counts_as_too_long(int8: MiniLm) -> None:
    assert int8.count_tokens("I ❤ NY") > int8.tokens_max
    with pytest.raises(StoreUnavailable, match="others"):
        await int8.embed(["I ❤ NY"])
