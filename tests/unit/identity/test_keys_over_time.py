"""Issuers' keys over time: fetched, kept, changed, and not to be had."""

import asyncio

import pytest

from application.token_ring import TokenRing
from domain.errors import Forbidden, InvalidToken, StoreUnavailable
from tests.unit.identity.world import (
    EC,
    ISSUER,
    RSA,
    SECOND_RSA,
    START,
    World,
    claims,
    issuer,
    public,
    signed,
)

NOW = int(START.timestamp())


@pytest.fixture
def world() -> World:
    return World()


async def refused(world: World, token: str) -> None:
    with pytest.raises(InvalidToken):
        await world.ring.authenticate(token)


async def test_keys_are_fetched_once_for_many_tokens(world: World) -> None:
    for number in range(5):
        await world.ring.authenticate(signed(claims(jti=str(number))))

    assert world.fetched == 1


async def test_a_new_key_is_found_and_made_up_ones_ask_no_more_often_than_agreed(world: World) -> None:
    await world.ring.authenticate(signed())
    world.publish(public(RSA, "one"), public(SECOND_RSA, "two"))
    for number in range(20):
        await refused(world, signed(kid=f"made up {number}"))
    assert world.fetched == 1

    world.clock.passed_s = 31
    by = await world.ring.authenticate(signed(key=SECOND_RSA, kid="two"))

    assert by.subject == "alice"
    assert world.fetched == 2


async def test_a_key_that_was_withdrawn_lets_in_no_longer_than_keys_are_kept(world: World) -> None:
    token = signed(claims(exp=NOW + 7200))
    await world.ring.authenticate(token)
    world.publish(public(EC, "ec"))

    world.clock.passed_s = 601

    await refused(world, token)


async def test_keys_serve_while_the_issuer_is_away_and_then_no_more(world: World) -> None:
    token = signed(claims(exp=NOW + 3 * 3600))
    await world.ring.authenticate(token)
    world.web.away = True

    world.clock.passed_s = 3500
    await world.ring.authenticate(token)
    world.clock.passed_s = 3661
    with pytest.raises(StoreUnavailable):
        await world.ring.authenticate(token)


async def test_an_issuer_that_cannot_be_asked_is_no_fault_of_the_caller(world: World) -> None:
    world.web.away = True
    with pytest.raises(StoreUnavailable):
        await world.ring.authenticate(signed())

    world.web.away = False
    world.clock.passed_s = 31
    await world.ring.authenticate(signed())


@pytest.mark.parametrize(
    "document",
    [
        b'{"issuer": "https://id.example.org", "jwks_uri": "https://id.example.com/jwks"}',
        b'{"issuer": "https://id.example.com", "jwks_uri": "http://id.example.com/jwks"}',
        b'{"issuer": "https://id.example.com", "jwks_uri": "file:///etc/passwd"}',
        b'{"issuer": "https://id.example.com", "issuer": "https://id.example.com"}',
        b"[]",
        b"<html>",
        b'{"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/jwks", "x": "'
        + b"x" * 300_000
        + b'"}',
    ],
)
async def test_discovery_that_is_not_the_issuers_gives_no_keys(world: World, document: bytes) -> None:
    world.web.documents[f"{ISSUER}/.well-known/openid-configuration"] = document

    with pytest.raises(StoreUnavailable):
        await world.ring.authenticate(signed())


async def test_a_checked_token_is_not_checked_again_for_a_while(world: World) -> None:
    token = signed(claims(exp=NOW + 20))
    first = await world.ring.authenticate(token)

    assert await world.ring.authenticate(token) is first
    world.clock.passed_s = 51
    await refused(world, token)


async def test_other_roles_count_at_once(world: World) -> None:
    token = signed()
    await world.ring.authenticate(token)

    world.ring.use((issuer(roles=(("devs", "viewer"),)),))

    assert (await world.ring.authenticate(token)).role == "viewer"
    world.ring.use(())
    assert not world.ring.may_be_one(token)


async def test_a_subject_without_a_role_is_not_let_in(world: World) -> None:
    with pytest.raises(Forbidden):
        await world.ring.authenticate(signed(claims(roles=["others"])))


async def test_how_long_a_checked_token_is_remembered_is_the_operators_word(world: World) -> None:
    world.ring.use((issuer(),), 0.0)
    token = signed()

    first = await world.ring.authenticate(token)

    assert await world.ring.authenticate(token) is not first


async def test_many_first_tokens_at_once_ask_once(world: World) -> None:
    tokens = [signed(claims(jti=str(number))) for number in range(20)]

    await asyncio.gather(*map(world.ring.authenticate, tokens))

    assert world.fetched == 1


async def test_memory_of_tokens_is_bounded(world: World) -> None:
    ring = TokenRing(world.verifier, world.clock, world.roles, tokens_max=2)
    ring.use((issuer(),))
    tokens = [signed(claims(jti=str(number))) for number in range(3)]
    first, *_ = [await ring.authenticate(token) for token in tokens]

    assert await ring.authenticate(tokens[0]) is not first
