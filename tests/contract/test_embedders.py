"""Binds the embedders: MiniLM in both precisions, hashing, and a provider's through the whole server."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.embeddings.hashing import DIMENSIONS, HashingEmbedder
from adapters.embeddings.minilm import MiniLm
from adapters.embeddings.model_files import ModelFiles, ModelNotUsable
from adapters.embeddings.opening import open_minilm
from adapters.embeddings.provider import ProviderVectors
from application.ports.embedder import Embedder
from contracts.ports.embedder import EmbedderContract, numbers
from domain.errors import StoreUnavailable
from tests.minilm_world import installed_models


@pytest.fixture(scope="module")
def load_once() -> Iterator[None]:
    """Each precision is read from the disk once: what it computes does not depend on who asks."""
    engine = pytest.importorskip("adapters.embeddings.engine")
    loaded: dict[str, Any] = {}

    def load(files: ModelFiles) -> Any:
        if files.precision not in loaded:
            loaded[files.precision] = read(files)
        return loaded[files.precision]

    read, engine.Engine = engine.Engine, load
    yield
    engine.Engine = read


class _MiniLmContract(EmbedderContract):
    precision = ""

    @pytest.fixture
    async def embedder(self, load_once: None) -> AsyncIterator[Embedder]:
        embedder = open_minilm(installed_models(self.precision), self.precision)
        yield embedder
        await embedder.aclose()

    @pytest.fixture
    async def broken(self) -> AsyncIterator[Embedder]:
        def load() -> object:
            raise ModelNotUsable("somebody deleted it")

        pieces = ["[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz?"]
        pieces += [f"##{piece}" for piece in pieces[3:]]
        embedder = MiniLm(pieces, load, precision=self.precision)  # type: ignore[arg-type]
        yield embedder
        await embedder.aclose()


class TestMiniLmInt8(_MiniLmContract):
    precision = "int8"


class TestMiniLmFp32(_MiniLmContract):
    precision = "fp32"


class TestHashing(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashingEmbedder()

    @pytest.fixture
    def broken(self) -> Embedder:
        pytest.skip("hashing needs nothing that could be missing")


class TestProvider(EmbedderContract):
    """Answered by the hashing embedder; the way through the pipeline has its own tests."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        hashing = HashingEmbedder()

        async def ask(texts: Sequence[str]) -> list[list[float]]:
            return [[3 * number for number in numbers(vector)] for vector in await hashing.embed(texts)]

        return ProviderVectors("acme/embed", DIMENSIONS).embedder("t1", ask)

    @pytest.fixture
    def broken(self) -> Embedder:
        async def ask(texts: Sequence[str]) -> list[list[float]]:
            raise StoreUnavailable("nobody may see this text")

        return ProviderVectors("acme/embed", DIMENSIONS).embedder("t1", ask)


def test_an_installed_model_is_opened_without_loading_it(tmp_path: Path) -> None:
    models = installed_models("int8")
    embedder = open_minilm(models, "int8")
    assert embedder.count_tokens("one two three") == 5
