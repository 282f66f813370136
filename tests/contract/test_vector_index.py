"""Binds the indexes that live in this process."""

from collections.abc import AsyncIterator

import pytest

from adapters.vectors.deferred import DeferredVectorIndex
from adapters.vectors.in_process import InProcessVectorIndex
from adapters.vectors.plain import PlainVectorIndex
from adapters.vectors.tending import Tending
from application.ports.vector_index import VectorIndex
from contracts.ports.vector_index import DIMENSIONS, VectorIndexContract


class TestInProcessVectorIndex(VectorIndexContract):
    @pytest.fixture
    async def index(self) -> AsyncIterator[VectorIndex]:
        index = InProcessVectorIndex("test", DIMENSIONS, vectors_max=1_000)
        yield index
        await index.aclose()


class TestDeferredVectorIndex(VectorIndexContract):
    """The same, made when it is first used."""

    @pytest.fixture
    async def index(self) -> AsyncIterator[VectorIndex]:
        index = DeferredVectorIndex(lambda: InProcessVectorIndex("test", DIMENSIONS, vectors_max=1_000))
        yield index
        await index.aclose()


class TestInProcessVectorIndexWithGraphs(VectorIndexContract):
    """Everything but the newest goes through a graph."""

    @pytest.fixture
    async def index(self) -> AsyncIterator[VectorIndex]:
        tending = Tending(exact_max=4, head_max=1, step=3)
        index = InProcessVectorIndex("test", DIMENSIONS, vectors_max=1_000, tending=tending)
        yield index
        await index.aclose()


class TestPlainVectorIndex(VectorIndexContract):
    @pytest.fixture
    async def index(self) -> AsyncIterator[VectorIndex]:
        index = PlainVectorIndex("test", DIMENSIONS)
        yield index
        await index.aclose()
