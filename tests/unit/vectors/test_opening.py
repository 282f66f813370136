"""Which index an installation gets."""

import sys

import pytest

from adapters.vectors.deferred import DeferredVectorIndex
from adapters.vectors.opening import open_in_process
from adapters.vectors.plain import PlainVectorIndex


async def test_with_the_extra_it_is_the_large_one_and_keeps_itself() -> None:
    opened = open_in_process("test", 8, vectors_max=100)

    assert isinstance(opened.index, DeferredVectorIndex)
    assert opened.snapshots is opened.index and not opened.reason
    await opened.index.aclose()


def test_without_the_extra_it_is_the_plain_one_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)

    opened = open_in_process("test", 8, vectors_max=5_000)

    assert isinstance(opened.index, PlainVectorIndex)
    assert opened.index.vectors_max == 2_000
    assert opened.snapshots is None and "interchange[semantic]" in opened.reason
