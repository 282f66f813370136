"""Keys that the installation has for itself, and the seals that follow them."""

from collections.abc import Mapping

import pytest

from adapters.crypto.ed25519 import Ed25519Signing
from adapters.crypto.entry_seal import AesGcmEntrySeal, key_of_this_process
from application.use_cases.rotate_vault import RotateVault
from application.vault_own_keys import KEPT_MAX, OwnKeys
from domain.errors import InvalidRequest
from domain.tenancy.role import local_operator
from domain.vault.rotation import RotationKind
from domain.vault.secret import SecretBytes
from tests.unit.vault.vault_world import VaultWorld, vault_world


def own_keys(world: VaultWorld) -> OwnKeys:
    return OwnKeys(world.vault, Ed25519Signing().new_seed)


def plain(keys: Mapping[str, SecretBytes]) -> dict[str, bytes]:
    return {name: key.reveal() for name, key in keys.items()}


async def test_the_first_key_is_made_once_and_everybody_has_it() -> None:
    world = vault_world()
    here, there = own_keys(world), own_keys(world.neighbour())

    mine = plain(await here.open())

    assert list(mine) == ["cache-key-1"] and len(mine["cache-key-1"]) == 32
    assert plain(await there.open()) == mine


async def test_a_rotation_turns_them_and_what_was_sealed_before_opens_for_a_while() -> None:
    world = vault_world()
    own = own_keys(world)
    rotate = RotateVault(world.vault, world.log, world.clock, world.ids, own)
    seal = AesGcmEntrySeal(key_of_this_process())
    seal.use(plain(await own.open()))
    sealed = seal.seal("acme", b"key", b"answer")

    for turned in range(KEPT_MAX):
        world.clock.now_s += 60
        await rotate.begin(local_operator(), RotationKind.MASTER)
        await rotate.run()
        seal.use(plain(await own.open()))
        known = turned < KEPT_MAX - 1
        assert seal.open("acme", b"key", sealed) == (b"answer" if known else None)

    assert list(await own.open()) == ["cache-key-4", "cache-key-3", "cache-key-2"]
    assert await world.vault.check(deep=True) == []


async def test_nothing_turns_where_nothing_is_used() -> None:
    world = vault_world()
    await own_keys(world).turn()

    assert (await world.store.figures()).tenants == ()


def test_a_seal_keeps_its_keys_where_new_ones_are_none() -> None:
    seal = AesGcmEntrySeal({"a": b"k" * 32})
    sealed = seal.seal("acme", b"key", b"answer")
    with pytest.raises(InvalidRequest):
        seal.use({})
    with pytest.raises(InvalidRequest):
        seal.use({"b": b"short"})

    assert seal.open("acme", b"key", sealed) == b"answer"
    stranger = AesGcmEntrySeal(key_of_this_process())
    assert stranger.open("acme", b"key", sealed) is None
