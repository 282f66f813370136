"""Logins by key over time: how long they last, and what of the key they follow."""

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher, load_peppers
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.crypto.pepper_file import PepperFile
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.sessions import InMemorySessionStore
from adapters.memory.system import SteppingClock
from application.key_ring import KeyRing
from application.role_book import RoleBook
from application.session_ring import SessionRing, SessionTerms
from domain.errors import InvalidToken, NotFound, StoreUnavailable, Unauthenticated
from domain.tenancy.key_rules import NewKey
from domain.tenancy.role import local_operator
from entrypoints.access import KeyBackends, make_access
from entrypoints.settings import Settings

LASTS, IDLE = timedelta(hours=12), timedelta(hours=1)
SECRET, OTHER = "s" * 43, "t" * 43
MINUTE = 60.0


class Scene:
    """Keys and sessions in memory."""

    def __init__(self, directory: Path) -> None:
        self.clock, self.store, self.kept = SteppingClock(), InMemoryKeyStore(), InMemorySessionStore()
        peppers = load_peppers(directory, None)
        hasher = PepperedKeyHasher(peppers)
        self.ring = KeyRing(self.store, hasher, self.clock, max_stale_s=1e9)
        self.sessions = SessionRing(self.kept, self.clock, RoleBook(), self.ring)
        self.sessions.use_keys(LASTS, IDLE)
        backends = KeyBackends(
            store=self.store,
            pages=self.store,
            uses=self.store,
            hasher=hasher,
            peppers=PepperFile(directory, hasher, peppers),
            owner_file=PrivateOwnerKeyFile(directory / "admin.key"),
        )
        access = make_access(backends, self.ring, self.clock, Settings(), None, RoleBook(), None)
        self.keys, self.following = access.keys, access.following

    async def key(self, **changed: object) -> str:
        wish = {"tenant_id": "acme", "name": "on call", "role": "viewer"} | changed
        created = await self.keys.create(local_operator(), NewKey(**wish))  # type: ignore[arg-type]
        await self.following.look()
        return created.key

    async def lets_in(self, secret: str = SECRET, *, attended: bool = True) -> bool:
        try:
            await self.sessions.authenticate(secret, attended=attended)
        except InvalidToken:
            return False
        return True


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_login_by_key_is_its_key_but_for_the_kind(scene: Scene) -> None:
    key = await scene.key(networks=("10.0.0.0/8",))
    held = scene.ring.authenticate(key)

    session = await scene.sessions.begin_by_key(key, SECRET)
    by = await scene.sessions.authenticate(SECRET)

    assert session.by_key and session.ends_at - session.created_at == LASTS
    assert (by.kind, by.key_id, by.permissions) == ("session", held.key_id, held.permissions)
    assert by.networks == ("10.0.0.0/8",)
    assert key not in repr(session) and SECRET not in repr(session)


async def test_what_is_no_good_key_begins_nothing(scene: Scene) -> None:
    await scene.key()

    with pytest.raises(Unauthenticated):
        await scene.sessions.begin_by_key("ik_live_x", SECRET)
    assert not await scene.lets_in()


async def test_it_ends_after_its_hours_and_when_it_is_not_used(scene: Scene) -> None:
    key = await scene.key()
    await scene.sessions.begin_by_key(key, SECRET)
    await scene.sessions.begin_by_key(key, OTHER)

    scene.clock.advance(59 * MINUTE)
    assert await scene.lets_in()
    scene.clock.advance(MINUTE)
    assert await scene.lets_in() and not await scene.lets_in(OTHER)
    for _ in range(22):
        scene.clock.advance(30 * MINUTE)
        used = await scene.lets_in()
    assert not used


async def test_a_page_that_asks_by_itself_does_not_keep_its_login(scene: Scene) -> None:
    key = await scene.key()
    await scene.sessions.begin_by_key(key, SECRET)
    await scene.sessions.begin_by_key(key, OTHER)

    for minute in range(1, 60):
        scene.clock.advance(MINUTE)
        assert await scene.lets_in(attended=False) and await scene.lets_in(OTHER, attended=False)
        if minute == 30:
            assert await scene.lets_in(OTHER)

    scene.clock.advance(MINUTE)
    assert not await scene.lets_in(attended=False) and not await scene.lets_in()
    assert await scene.lets_in(OTHER, attended=False)
    scene.clock.advance(29 * MINUTE)
    assert await scene.lets_in(OTHER, attended=False)
    scene.clock.advance(MINUTE)
    assert not await scene.lets_in(OTHER, attended=False)


async def test_providers_terms_are_not_those_of_keys(scene: Scene) -> None:
    await scene.sessions.begin_by_key(await scene.key(), SECRET)

    scene.sessions.use(SessionTerms("another", timedelta(hours=1), timedelta(minutes=1)))
    await scene.sessions.tidy()
    scene.clock.advance(30 * MINUTE)
    assert await scene.lets_in()
    scene.sessions.use_keys(None, IDLE)

    assert not await scene.lets_in()
    with pytest.raises(NotFound, match=r"identity\.key_login"):
        await scene.sessions.begin_by_key(await scene.key(), OTHER)


async def test_a_replaced_secret_lets_its_sessions_go_on_for_the_overlap(scene: Scene) -> None:
    key = await scene.key()
    key_id = scene.ring.authenticate(key).key_id
    await scene.sessions.begin_by_key(key, SECRET)

    new = (await scene.keys.rotate(local_operator(), key_id, 60)).key
    assert await scene.lets_in()
    of_old = await scene.sessions.begin_by_key(key, OTHER)
    await scene.sessions.begin_by_key(new, "n" * 43)
    assert of_old.ends_at - of_old.created_at == timedelta(seconds=60)
    scene.clock.advance(60)

    assert not await scene.lets_in() and not await scene.lets_in(OTHER)
    assert await scene.lets_in("n" * 43)


async def test_no_clock_is_asked_which_secret_a_session_is_of(scene: Scene) -> None:
    """Another instance may have rotated it, with a clock that goes before or after ours."""
    key = await scene.key()
    key_id = scene.ring.authenticate(key).key_id
    await scene.sessions.begin_by_key(key, SECRET)

    await scene.keys.rotate(local_operator(), key_id, 0)

    assert not await scene.lets_in()


async def test_an_expired_or_revoked_key_ends_them(scene: Scene) -> None:
    soon = scene.clock.utc_now() + timedelta(minutes=5)
    session = await scene.sessions.begin_by_key(await scene.key(expires_at=soon), SECRET)
    key = await scene.key()
    await scene.sessions.begin_by_key(key, OTHER)

    await scene.keys.revoke(local_operator(), scene.ring.authenticate(key).key_id, "it leaked")
    assert session.ends_at == soon and await scene.lets_in() and not await scene.lets_in(OTHER)
    scene.clock.advance(5 * MINUTE)

    assert not await scene.lets_in()


async def test_while_nobody_can_tell_nobody_is_let_in_or_sent_away_for_good(scene: Scene) -> None:
    await scene.sessions.begin_by_key(await scene.key(), SECRET)

    scene.kept.reachable = False
    with pytest.raises(StoreUnavailable):
        await scene.sessions.authenticate(SECRET)
    scene.kept.reachable = True

    assert await scene.lets_in()
