"""An index that is made when it is first used."""

import asyncio
import sys

import pytest

from adapters.vectors.deferred import DeferredVectorIndex
from adapters.vectors.in_process import InProcessVectorIndex
from contracts.ports.vector_index import DIMENSIONS, NORTH, NOW_US, found, indexed
from domain.errors import StoreUnavailable


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> InProcessVectorIndex:
        self.made += 1
        return InProcessVectorIndex("test", DIMENSIONS, vectors_max=100)


async def test_what_only_looks_or_takes_out_does_not_make_it() -> None:
    make = Maker()
    index = DeferredVectorIndex(make)

    assert (await index.facts()).vectors == 0
    assert await index.within("acme", NORTH, 0.5) == []
    assert await index.upkeep(NOW_US) == 0
    await index.remove([b"k"])
    await index.aclose()

    assert make.made == 0


async def test_many_first_uses_at_once_make_one() -> None:
    make = Maker()
    index = DeferredVectorIndex(make)

    await asyncio.gather(*(index.add([indexed(bytes([number]))]) for number in range(10)))

    assert make.made == 1
    assert len(await found(index, limit=20)) == 10
    assert (await index.facts()).vectors == 10
    await index.aclose()


async def test_packages_that_cannot_be_imported_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    index = DeferredVectorIndex(make)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "numpy", None)
        with pytest.raises(StoreUnavailable, match=r"interchange\[semantic\]"):
            await found(index)

    with pytest.raises(StoreUnavailable):
        await found(index)
    assert make.made == 0
    await index.aclose()


async def test_a_closed_one_is_not_made_any_more() -> None:
    make = Maker()
    index = DeferredVectorIndex(make)
    await index.aclose()

    with pytest.raises(StoreUnavailable, match="closed"):
        await index.add([indexed(b"k")])
    assert make.made == 0
