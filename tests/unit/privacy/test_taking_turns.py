"""Bodies that take long are read beside requests, and nobody's keep another's waiting."""

import asyncio
import threading
from functools import partial

import pytest

from adapters.privacy.detector import PatternDetector
from application.privacy.offloading import WAITING_EACH_MAX, Offloading, is_quick
from application.privacy.rewriting import PolicyWork
from domain.errors import PrivacyUnavailable
from domain.privacy.placeholders import Placeholders
from domain.privacy.policy import BUILT_IN, EffectivePolicy, Where

LONG = b"1234567 " * 4096


@pytest.mark.parametrize(
    ("body", "quick"),
    [
        (b'{"a":"some words"}', True),
        (b"words " * 2500, True),
        (b"words " * 3000, False),
        (b"1234567, " * 200, False),
        ("\uff11\uff12\uff13 ".encode() * 400, False),
        ("\u0661\u0662\u0663 ".encode() * 400, False),
        (b'"a",' * 600, False),
        (b'{"type":"base64","data":"' + b"MTIzNDU2Nzg5MDEy" * 120 + b'"}', False),
    ],
)
def test_what_is_read_at_once_is_bounded_by_what_makes_reading_long(body: bytes, quick: bool) -> None:
    assert is_quick(body) is quick


async def test_one_tenant_has_one_thread_at_a_time_and_others_have_theirs() -> None:
    offloading = Offloading()
    release = threading.Event()
    running: list[str] = []
    both = threading.Barrier(3)

    def work(name: str, _: threading.Event) -> str:
        running.append(name)
        if len(running) <= 2:
            both.wait(5)
        release.wait(5)
        return name

    greedy = [
        asyncio.create_task(offloading("greedy", LONG, partial(work, f"greedy {number}")))
        for number in range(5)
    ]
    await asyncio.sleep(0)
    other = asyncio.create_task(offloading("other", LONG, partial(work, "other")))
    await asyncio.to_thread(both.wait, 5)
    try:
        assert sorted(running) == ["greedy 0", "other"]
    finally:
        release.set()
    assert await other == "other"
    assert await asyncio.gather(*greedy) == [f"greedy {number}" for number in range(5)]
    assert not offloading._tenants
    offloading.close()


async def test_too_many_bodies_of_one_tenant_are_refused_and_another_tenants_are_not() -> None:
    offloading = Offloading()
    release = threading.Event()
    waiting = [
        asyncio.create_task(offloading("greedy", LONG, lambda _: release.wait(5)))
        for _ in range(WAITING_EACH_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(PrivacyUnavailable):
        await offloading("greedy", LONG, lambda _: None)
    assert await offloading("other", LONG, lambda _: "read") == "read"
    release.set()
    await asyncio.gather(*waiting)
    offloading.close()


async def test_who_leaves_gives_its_turn_to_the_next_and_its_thread_when_that_is_done() -> None:
    offloading = Offloading()
    release = threading.Event()
    leaving = [
        asyncio.create_task(offloading(name, LONG, lambda _: release.wait(5))) for name in ("a", "b", "c")
    ]
    await asyncio.sleep(0.02)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    late = asyncio.create_task(offloading("d", LONG, lambda _: "read"))
    await asyncio.sleep(0.02)
    assert not late.done()
    release.set()
    assert await late == "read"
    offloading.close()


async def test_work_that_nobody_waits_for_is_told_so() -> None:
    offloading = Offloading()
    told = threading.Event()
    leaving = asyncio.create_task(
        offloading("a", LONG, lambda nobody_waits: told.set() if nobody_waits.wait(5) else None)
    )
    await asyncio.sleep(0.02)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert await asyncio.to_thread(told.wait, 5)
    offloading.close()


def test_a_text_is_not_read_on_for_nobody() -> None:
    work = PolicyWork(EffectivePolicy([BUILT_IN["redact"]]), PatternDetector(), Placeholders(b"key"))
    work.nobody_waits = threading.Event()
    assert work.whole("bob@example.com", Where.PROMPTS, "text") == "<EMAIL_ADDRESS>"
    work.nobody_waits.set()
    with pytest.raises(PrivacyUnavailable):
        work.whole("bob@example.com", Where.PROMPTS, "text")
