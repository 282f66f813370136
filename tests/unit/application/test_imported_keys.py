"""Keys of another gateway: they go on working, and nothing but the very key lets anybody in."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.system import START, SteppingClock
from application.key_ring import KeyRing
from application.use_cases.import_keys import ImportKeys
from domain.errors import Forbidden, InvalidRequest, Unauthenticated
from domain.tenancy.imported_key import ImportedKey, imported_key_id
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator, permissions_of

TOKEN = "sk-abcdefghijklmnopqrstuvwx"


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def imported(token: str = TOKEN, **changes: Any) -> ImportedKey:
    values: dict[str, Any] = {"tenant_id": "acme", "name": "robot", "role": "agent", "created_at": START}
    return ImportedKey(digest=digest(token), **(values | changes))


class World:
    def __init__(self) -> None:
        self.store = InMemoryKeyStore()
        self.clock = SteppingClock()
        self.hasher = PepperedKeyHasher({1: b"p" * 32, 2: b"q" * 32})
        self.ring = KeyRing(self.store, self.hasher, self.clock)
        self.import_keys = ImportKeys(self.store, self.hasher, self.clock)

    async def take(self, *keys: ImportedKey) -> None:
        await self.import_keys(local_operator(), keys)
        await self.ring.refresh()


@pytest.fixture
def world() -> World:
    return World()


async def test_an_imported_key_lets_its_holder_in_cold_and_warm(world: World) -> None:
    await world.take(imported(allowed_models=frozenset({"assistant"})))

    for _ in range(2):
        principal = world.ring.authenticate(TOKEN)
        assert (principal.tenant_id, principal.key_name, principal.role) == ("acme", "robot", "agent")
        assert principal.key_id == imported_key_id(digest(TOKEN))
        assert principal.allowed_models == frozenset({"assistant"})


async def test_a_digest_or_what_is_kept_of_it_is_no_credential(world: World) -> None:
    await world.take(imported())
    (kept,) = await world.store.all()

    for attempt in (digest(TOKEN).hex(), kept.hash.hex(), kept.key_id, f"sk-{digest(TOKEN).hex()}"):
        with pytest.raises(Unauthenticated):
            world.ring.authenticate(attempt)
    assert digest(TOKEN) not in kept.hash


@pytest.mark.parametrize(
    "attempt",
    [
        "sk-' OR '1'='1",
        "sk-x'; DROP TABLE api_keys; --",
        'sk-" UNION SELECT token FROM "LiteLLM_VerificationToken',
        "sk-%",
        "sk-*",
        "sk-\x00",
        "",
        TOKEN + "\x00",
        TOKEN + " ",
        TOKEN.upper(),
    ],
)
async def test_text_that_another_gateway_once_put_into_its_query_is_only_text(
    world: World, attempt: str
) -> None:
    await world.take(imported())

    with pytest.raises(Unauthenticated):
        world.ring.authenticate(attempt)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, len(TOKEN) - 1), tail=st.text(max_size=20))
async def test_a_shared_beginning_opens_nothing_even_while_the_key_is_warm(cut: int, tail: str) -> None:
    world = World()
    await world.take(imported())
    world.ring.authenticate(TOKEN)
    attempt = TOKEN[:cut] + tail

    if attempt != TOKEN:
        with pytest.raises(Unauthenticated):
            world.ring.authenticate(attempt)


async def test_two_keys_with_a_long_common_beginning_stay_two(world: World) -> None:
    first, second = TOKEN * 3 + "-1", TOKEN * 3 + "-2"
    await world.take(imported(first, name="first"), imported(second, name="second", tenant_id="other"))

    for token, name, tenant in ((first, "first", "acme"), (second, "second", "other")):
        for _ in range(2):
            principal = world.ring.authenticate(token)
            assert (principal.key_name, principal.tenant_id) == (name, tenant)


async def test_blocked_expired_and_revoked_ones_stay_outside(world: World) -> None:
    await world.take(
        imported("sk-blocked", blocked=True),
        imported("sk-old", expires_at=START - timedelta(days=1)),
        imported("sk-revoked"),
    )
    world.ring.authenticate("sk-revoked")
    await world.store.revoke("acme", imported_key_id(digest("sk-revoked")), START)
    await world.ring.refresh()

    for token in ("sk-blocked", "sk-old", "sk-revoked", "sk-unknown"):
        with pytest.raises(Unauthenticated, match="unknown, expired or revoked"):
            world.ring.authenticate(token)


async def test_a_second_import_changes_nothing(world: World) -> None:
    first = await world.import_keys(local_operator(), [imported()])
    before = await world.store.all()

    second = await world.import_keys(local_operator(), [imported(name="another name"), imported("sk-new")])

    assert (len(first.new), len(first.known)) == (1, 0)
    assert (len(second.new), len(second.known)) == (1, 1)
    assert [record for record in await world.store.all() if record.key_id == before[0].key_id] == before


async def test_a_key_kept_under_an_older_pepper_still_opens(world: World) -> None:
    await ImportKeys(world.store, PepperedKeyHasher({1: b"p" * 32}), world.clock)(
        local_operator(), [imported()]
    )
    await world.ring.refresh()

    assert world.ring.authenticate(TOKEN).key_name == "robot"


async def test_nobody_imports_more_than_they_hold(world: World) -> None:
    small = Principal(
        tenant_id="acme",
        key_id="k",
        key_name="k",
        role="admin",
        permissions=permissions_of("admin", "acme", frozenset({"keys.write", "llm.call"})),
    )
    with pytest.raises(Forbidden):
        await world.import_keys(small, [imported(tenant_id="other")])
    with pytest.raises(Forbidden):
        await world.import_keys(small, [imported()])
    assert await world.store.all() == []


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"tenant_id": "No Tenant"}, "tenant_id"),
        ({"name": " "}, "name"),
        ({"role": "emperor"}, "role"),
        ({"allowed_models": frozenset()}, "allowed_models"),
        ({"note": "x" * 501}, "note"),
    ],
)
async def test_one_bad_key_keeps_all_out(world: World, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.import_keys(local_operator(), [imported("sk-good"), imported(**changes)])

    assert refused.value.param == param
    assert await world.store.all() == []
