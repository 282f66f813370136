"""What every AnswerStore promises."""

import asyncio
import os
from typing import Protocol

import pytest

from application.ports.answer_store import AnswerStore
from application.ports.system import Clock
from contracts.ports._base import PortContract
from domain.caching.entry import CachedAnswer, Position
from domain.errors import StoreUnavailable

HOUR_US = 3_600_000_000


class MovableClock(Clock, Protocol):
    def advance(self, seconds: float) -> None: ...


def kept_answer(clock: Clock, key: bytes | None = None, **changed: object) -> CachedAnswer:
    """Alive for an hour, under a key of its own."""
    now_us = int(clock.utc_now().timestamp() * 1e6)
    made = CachedAnswer(
        key=key or os.urandom(32),
        tenant_id="acme",
        route="fast",
        namespace="",
        tags=(),
        dialect="openai.chat",
        streamed=False,
        body=b'{"choices":[]}',
        content_type="application/json",
        finish_reason="stop",
        target_id="t1",
        provider="openai",
        model="m",
        region="eu",
        simulated=False,
        input_tokens=3,
        output_tokens=4,
        cost_nano_usd=None,
        made_at_us=now_us,
        expires_at_us=now_us + HOUR_US // 2,
        kept_until_us=now_us + HOUR_US,
        heard=Position("epoch", 7),
    )
    return made._replace(**changed)  # type: ignore[arg-type]


class AnswerStoreContract(PortContract):
    """Bind `clock`, which the stores are told the time by; `store`; `another_store`, as another process
    would open the same; and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> AnswerStore:
        raise NotImplementedError

    @pytest.fixture
    def another_store(self) -> AnswerStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> AnswerStore:
        raise NotImplementedError

    async def test_every_field_comes_back(self, store: AnswerStore, clock: MovableClock) -> None:
        full = kept_answer(
            clock,
            tenant_id="Prüfstand",
            namespace="n/m",
            tags=("a", "b"),
            streamed=True,
            body=bytes(range(256)) * 40,
            simulated=True,
            cost_nano_usd=5_000_000_000_000,
            heard=Position("epoch", 2**53),
            text="Grüße",
            question="?",
            dropped=("seed",),
            via="direct",
        )
        bare = kept_answer(clock, tenant_id="", body=b"", heard=Position("", 0))
        await store.write([full, bare])

        assert await store.read(full.key) == full
        assert await store.read(bare.key) == bare

    async def test_what_one_process_writes_another_reads(
        self, store: AnswerStore, another_store: AnswerStore, clock: MovableClock
    ) -> None:
        answer = kept_answer(clock)
        await store.write([answer])
        assert await another_store.read(answer.key) == answer

        await another_store.erase([answer.key])
        assert await store.read(answer.key) is None

    async def test_an_unknown_key_is_none(self, store: AnswerStore) -> None:
        assert await store.read(os.urandom(32)) is None

    async def test_the_later_of_equal_keys_stays_also_within_one_call(
        self, store: AnswerStore, clock: MovableClock
    ) -> None:
        first = kept_answer(clock, body=b"first")
        second, third = first._replace(body=b"second"), first._replace(body=b"third")
        await store.write([first])
        await store.write([third, second])

        assert await store.read(first.key) == second

    async def test_an_answer_is_there_until_its_end_and_not_then(
        self, store: AnswerStore, clock: MovableClock
    ) -> None:
        answer, longer = kept_answer(clock), kept_answer(clock)
        longer = longer._replace(kept_until_us=longer.kept_until_us + 1)
        await store.write([answer, longer])
        clock.advance(3599.999)
        assert await store.read(answer.key) == answer

        clock.advance(0.001)

        assert await store.read(answer.key) is None
        assert await store.read(longer.key) == longer

    async def test_what_is_over_already_is_not_kept_and_takes_the_place_of_what_was(
        self, store: AnswerStore, clock: MovableClock
    ) -> None:
        answer = kept_answer(clock)
        await store.write([answer])

        await store.write([answer._replace(kept_until_us=answer.made_at_us)])

        assert await store.read(answer.key) is None

    async def test_erased_is_gone_and_nothing_else_is(self, store: AnswerStore, clock: MovableClock) -> None:
        one, two = kept_answer(clock), kept_answer(clock)
        await store.write([one, two])

        await store.erase([one.key, os.urandom(32)])
        await store.erase([])

        assert await store.read(one.key) is None
        assert await store.read(two.key) == two

    async def test_answers_of_tenants_under_neighbouring_keys_stay_apart(
        self, store: AnswerStore, clock: MovableClock
    ) -> None:
        prefix = os.urandom(30)
        keys = [
            prefix + tail for tail in (b"\x00\x00", b"\x00\x01", b"\x01\x00", b"\n\r", b"*}", b"\xff\xff")
        ]
        answers = [kept_answer(clock, key, tenant_id=f"t{n}") for n, key in enumerate(keys)]
        await store.write(answers)

        assert [await store.read(key) for key in keys] == answers
        await store.erase(keys[:1])
        assert [await store.read(key) for key in keys] == [None, *answers[1:]]

    async def test_many_at_once_are_all_written(self, store: AnswerStore, clock: MovableClock) -> None:
        answers = [kept_answer(clock, body=b"%d" % n * 5_000) for n in range(600)]

        await asyncio.gather(*(store.write(answers[start::3]) for start in range(3)))

        found = await asyncio.gather(*(store.read(answer.key) for answer in answers[::60]))
        assert found == answers[::60]
        await store.erase([answer.key for answer in answers])
        assert await store.read(answers[-1].key) is None

    async def test_what_no_store_can_keep_hinders_no_other(
        self, store: AnswerStore, clock: MovableClock
    ) -> None:
        odd, plain = kept_answer(clock, text="\ud800"), kept_answer(clock)

        await store.write([odd, plain])

        assert await store.read(odd.key) in (None, odd)
        assert await store.read(plain.key) == plain

    async def test_nothing_to_write_is_fine(self, store: AnswerStore) -> None:
        await store.write([])

    async def test_facts_count_what_they_can(self, store: AnswerStore, clock: MovableClock) -> None:
        before = await store.facts()
        answers = [kept_answer(clock, body=os.urandom(20_000)) for _ in range(20)]
        await store.write(answers)
        await store.write(answers)
        full = await store.facts()
        await store.erase([answer.key for answer in answers])
        after = await store.facts()

        assert full.kind
        assert full.bytes_used is not None
        assert before.bytes_used is not None
        assert full.bytes_used >= before.bytes_used + 400_000
        if before.entries is not None:
            assert full.entries == before.entries + 20
            assert (after.entries, after.bytes_used) == (before.entries, before.bytes_used)

    async def test_it_works_after_a_cancelled_call(self, store: AnswerStore, clock: MovableClock) -> None:
        answer = kept_answer(clock)
        for work in (store.write([answer]), store.read(answer.key)):
            call = asyncio.ensure_future(work)
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])

        await store.write([answer])

        assert await store.read(answer.key) == answer

    async def test_an_unreachable_store_says_so(
        self, unreachable_store: AnswerStore, clock: MovableClock
    ) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.read(os.urandom(32))
        with pytest.raises(StoreUnavailable):
            await unreachable_store.write([kept_answer(clock)])
        with pytest.raises(StoreUnavailable):
            await unreachable_store.erase([os.urandom(32)])
        with pytest.raises(StoreUnavailable):
            await unreachable_store.facts()
