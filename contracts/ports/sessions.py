"""What every SessionStore promises."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.sessions import SessionStore
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.tenancy.identity import Identity
from domain.tenancy.session import Session, digest_of

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
WHO = Identity(
    issuer="https://id.example.com",
    subject="alice",
    tenant_id="acme",
    role="developer",
    scopes=frozenset({"llm.call", "models.read"}),
    name="Alice Müller",
    user="alice@example.com",
    agent="bot",
    team="blue",
    project="p",
    cost_center="4711",
)


def login(name: str = "one", **changed: object) -> Session:
    made = Session(
        digest=digest_of(name),
        identity=WHO,
        policy="f" * 64,
        created_at=NOW,
        seen_at=NOW,
        ends_at=NOW + timedelta(hours=8),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


async def keep(
    store: SessionStore, *sessions: Session, sessions_max: int = 100, per_subject: int = 50
) -> None:
    for session in sessions:
        await store.keep(session, sessions_max=sessions_max, per_subject_max=per_subject)


async def kept(store: SessionStore, *names: str) -> list[str]:
    return [name for name in names if await store.find(digest_of(name)) is not None]


class SessionStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> SessionStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> SessionStore:
        raise NotImplementedError

    async def test_what_was_kept_is_what_is_found(self, store: SessionStore) -> None:
        everything = login("two", identity=WHO._replace(scopes=None, tenant_id="other", agent=""))
        await keep(store, login(), everything)

        assert await store.find(digest_of("one")) == login()
        assert await store.find(digest_of("two")) == everything
        assert await store.find(digest_of("three")) is None
        assert await store.find("one") is None

    async def test_one_that_ended_is_found_no_more_and_ends_once(self, store: SessionStore) -> None:
        await keep(store, login(), login("two"))

        assert await store.end(digest_of("one")) is True
        assert await store.end(digest_of("one")) is False
        assert await kept(store, "one", "two") == ["two"]

    async def test_when_it_was_seen_is_remembered(self, store: SessionStore) -> None:
        await keep(store, login())
        later = NOW + timedelta(minutes=5)

        await store.seen(digest_of("one"), later)
        await store.seen(digest_of("gone"), later)

        assert await store.find(digest_of("one")) == login(seen_at=later)
        assert await store.find(digest_of("gone")) is None

    async def test_a_subject_has_so_many_and_the_one_not_seen_for_longest_goes(
        self, store: SessionStore
    ) -> None:
        later = NOW + timedelta(minutes=1)
        await keep(store, login("a", seen_at=later), login("b"), login("c", seen_at=later))
        other = login("other", identity=WHO._replace(subject="bob"), seen_at=NOW - timedelta(hours=1))
        await keep(store, other)

        await keep(store, login("d", seen_at=later), per_subject=3)

        assert await kept(store, "a", "b", "c", "d", "other") == ["a", "c", "d", "other"]

    async def test_all_together_are_bounded_too(self, store: SessionStore) -> None:
        for number in range(4):
            who = WHO._replace(subject=f"person {number}")
            seen = NOW + timedelta(minutes=number)
            await keep(store, login(f"s{number}", identity=who, seen_at=seen), sessions_max=3)

        assert await kept(store, "s0", "s1", "s2", "s3") == ["s1", "s2", "s3"]

    async def test_what_is_over_is_forgotten_and_nothing_else(self, store: SessionStore) -> None:
        await keep(
            store,
            login("runs"),
            login("ended", ends_at=NOW),
            login("unused", seen_at=NOW - timedelta(hours=2)),
        )

        assert await store.forget(ended_by=NOW, seen_before=NOW - timedelta(hours=1)) == 2
        assert await kept(store, "runs", "ended", "unused") == ["runs"]
        assert await store.forget(ended_by=NOW, seen_before=NOW - timedelta(hours=1)) == 0

    async def test_many_at_once_do_not_break_the_bound(self, store: SessionStore) -> None:
        names = [f"n{number}" for number in range(8)]

        await asyncio.gather(*(keep(store, login(name), per_subject=3) for name in names))

        assert len(await kept(store, *names)) == 3

    async def test_it_works_after_a_cancelled_call(self, store: SessionStore) -> None:
        call = asyncio.create_task(store.find("x"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        await keep(store, login())

        assert await kept(store, "one") == ["one"]

    async def test_an_unreachable_store_says_so(self, unreachable_store: SessionStore) -> None:
        with pytest.raises(StoreUnavailable):
            await keep(unreachable_store, login())
        with pytest.raises(StoreUnavailable):
            await unreachable_store.find("x")
        with pytest.raises(StoreUnavailable):
            await unreachable_store.seen("x", NOW)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.end("x")
        with pytest.raises(StoreUnavailable):
            await unreachable_store.forget(ended_by=NOW, seen_before=NOW)
