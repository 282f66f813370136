"""Good tokens, and everything that was ever used to forge one."""

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest

from domain.errors import InvalidToken
from domain.tenancy.issuer import TOKEN_BYTES_MAX
from domain.tenancy.role import ROLES
from tests.unit.identity.world import (
    AUDIENCE,
    EC,
    ED,
    ISSUER,
    OTHER,
    RSA,
    SECOND_RSA,
    START,
    World,
    claims,
    issuer,
    part,
    public,
    signed,
)

NOW = int(START.timestamp())


@pytest.fixture
def world() -> World:
    return World()


async def refused(world: World, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        await world.ring.authenticate(token)
    return caught.value.message


async def test_a_good_token_lets_its_subject_in_as_itself(world: World) -> None:
    by = await world.ring.authenticate(signed())

    assert (by.kind, by.subject, by.tenant_id, by.role) == ("token", "alice", "acme", "developer")
    assert by.permissions == ROLES["developer"]
    assert by.assertable == frozenset({"user:alice"})
    assert by.key_id.startswith("jwt_") and len(by.key_id) == 28


@pytest.mark.parametrize(
    ("key", "head"), [(EC, {"alg": "ES256", "kid": "ec"}), (ED, {"alg": "EdDSA", "kid": "ed"})]
)
async def test_other_kinds_of_keys_are_checked_too(world: World, key: Any, head: dict[str, Any]) -> None:
    assert (await world.ring.authenticate(signed(key=key, **head))).subject == "alice"


async def test_a_subject_has_one_id_in_each_tenant_and_issuer(world: World) -> None:
    world.ring.use((issuer(), issuer(issuer=OTHER)))
    first = await world.ring.authenticate(signed())
    again = await world.ring.authenticate(signed(claims(exp=NOW + 60)))
    elsewhere = await world.ring.authenticate(signed(claims(iss=OTHER), key=SECOND_RSA))

    assert first.key_id == again.key_id != elsewhere.key_id


# Forged signatures


async def test_unsigned_tokens_are_refused_however_none_is_spelt(world: World) -> None:
    for name in ("none", "None", "NONE", "nOnE"):
        head = {"alg": name, "typ": "at+jwt"}
        await refused(world, f"{part(head)}.{part(claims())}.")
        await refused(world, f"{part(head)}.{part(claims())}.{part(b'x')}")


def _pems() -> list[bytes]:
    pem = RSA.as_pem(private=False)
    body = pem.decode()
    return [
        pem,
        pem.strip(),
        b" " + pem,
        pem + b"\n",
        body.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + pem,
    ]


@pytest.mark.parametrize("secret", _pems())
async def test_a_public_key_is_no_shared_secret(world: World, secret: bytes) -> None:
    for algorithm in ("HS256", "HS384", "HS512"):
        content = f"{part({'alg': algorithm, 'kid': 'one', 'typ': 'at+jwt'})}.{part(claims())}"
        digest = hmac.new(secret, content.encode(), sha256).digest()
        await refused(world, f"{content}.{part(digest)}")


async def test_an_issuer_cannot_be_configured_to_use_secrets(world: World) -> None:
    world.ring.use((issuer(algorithms=("HS256", "none")),))
    content = f"{part({'alg': 'HS256', 'kid': 'one', 'typ': 'at+jwt'})}.{part(claims())}"
    digest = hmac.new(RSA.as_pem(private=False), content.encode(), sha256).digest()

    await refused(world, f"{content}.{part(digest)}")


async def test_keys_of_one_kind_check_no_signatures_of_another(world: World) -> None:
    world.publish(public(RSA, "ec"), public(EC, "one"))

    assert "key" in await refused(world, signed(kid="one"))
    world = World()
    world.publish(public(RSA, "ec"), public(EC, "one"))
    await refused(world, signed(key=EC, alg="ES256", kid="ec"))


async def test_algorithms_are_the_issuers_whatever_the_header_says(world: World) -> None:
    world.ring.use((issuer(algorithms=("ES256",)),))

    assert "algorithm" in await refused(world, signed())
    assert "algorithm" in await refused(world, signed(alg="PS256"))


async def test_a_key_published_for_another_algorithm_or_for_encryption_is_none(world: World) -> None:
    for said in ({"alg": "RS512"}, {"use": "enc"}, {"key_ops": ["encrypt"]}, {"kty": "oct", "k": "c2VjcmV0"}):
        world = World()
        world.publish(public(RSA, "one", **said))
        await refused(world, signed())


@pytest.mark.parametrize(
    "head",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"jku": "https://evil.example.com/jwks"},
        {"x5u": "https://evil.example.com/cert"},
        {"jwk": public(SECOND_RSA, "one")},
        {"x5c": ["MIIB"]},
        {"zip": "DEF"},
        {"enc": "A128GCM"},
    ],
)
async def test_headers_that_bring_keys_or_change_the_rules_are_refused(
    world: World, head: dict[str, Any]
) -> None:
    content = f"{part({'alg': 'RS256', 'kid': 'one', 'typ': 'at+jwt', **head})}.{part(claims())}"
    await refused(world, f"{content}.{part(b'signature')}")

    assert not world.web.asked, "nothing was fetched for it"


async def test_a_tokens_own_key_is_never_used(world: World) -> None:
    forged = signed(key=SECOND_RSA, kid="one")

    assert "signature" in await refused(world, forged)


@pytest.mark.parametrize("kind", ["logout+jwt", "id+jwt", "JWE", "secevent+jwt", "application/dpop+jwt"])
async def test_tokens_of_another_type_are_refused(world: World, kind: str) -> None:
    assert "type" in await refused(world, signed(typ=kind))


async def test_types_are_read_without_regard_to_case_and_prefix(world: World) -> None:
    for kind in ("JWT", "at+JWT", "application/at+jwt", None):
        await world.ring.authenticate(signed(claims(jti=str(kind)), typ=kind))


# Forms


async def test_only_the_compact_form_is_a_token(world: World) -> None:
    head, payload, signature = signed().split(".")
    whole = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
    for form in (
        json.dumps(whole),
        json.dumps({"payload": payload, "signatures": []}),
        json.dumps({"payload": payload, "protected": head, "signature": signature}),
        f"{head}.{payload}",
        f"{head}.{payload}.",
        f"{head}..{signature}",
        f"{head}.{payload}.{signature}.",
        f"{head}.{payload}.{signature}.x.y",
    ):
        await refused(world, form)


async def test_a_padded_or_otherwise_respelt_token_is_none(world: World) -> None:
    token = signed()
    head, payload, signature = token.split(".")
    last = "BCDEFGH"["AQgw".find(signature[-1])] if signature[-1] in "AQgw" else "_"
    for text in (
        token + "=",
        token + "==",
        token + " ",
        token + "\n",
        f"{head}=.{payload}.{signature}",
        token.replace("-", "+").replace("_", "/") + "+",
        f"{head}.{payload}.{signature[:-1]}{last}",
        token.upper(),
    ):
        await refused(world, text)


async def test_a_token_that_is_too_long_is_not_read(world: World) -> None:
    long = signed(claims(filler="x" * TOKEN_BYTES_MAX))

    assert "at most" in await refused(world, long)
    assert not world.web.asked


async def test_what_is_said_twice_is_refused_though_it_is_signed(world: World) -> None:
    good = json.dumps(claims())
    twice = good[:-1] + ', "sub": "admin"}'
    assert "twice" in await refused(world, signed(twice.encode()))

    head = '{"alg":"RS256","alg":"none","kid":"one"}'
    assert "twice" in await refused(world, f"{part(head.encode())}.{part(claims())}.{part(b'x')}")


async def test_no_numbers_that_are_none_and_no_endless_nesting(world: World) -> None:
    for text in (
        '{"iss": "%s", "exp": NaN}',
        '{"iss": "%s", "exp": Infinity}',
        '{"iss": "%s", "a": ' + "[" * 3000,
    ):
        await refused(world, signed((text % ISSUER).encode()))


@pytest.mark.parametrize(
    "key_id",
    ["../../dev/null", "one' OR '1'='1", "/etc/passwd", "one\x00", "x" * 201, "http://evil/", "One"],
)
async def test_key_ids_are_looked_up_and_nothing_else(world: World, key_id: str) -> None:
    await refused(world, signed(kid=key_id))

    assert world.fetched <= 1


async def test_a_key_id_that_is_no_text_is_refused(world: World) -> None:
    for key_id in (7, ["one"], {"a": 1}):
        content = f"{part({'alg': 'RS256', 'kid': key_id})}.{part(claims())}"
        await refused(world, f"{content}.{part(b'x')}")


# Claims


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW - 31},
        {"exp": None},
        {"exp": str(NOW + 60)},
        {"exp": True},
        {"exp": 1e30},
        {"exp": -5},
        {"iat": None},
        {"iat": NOW + 31},
        {"iat": NOW + 10**8, "exp": NOW + 2 * 10**8},
        {"iat": NOW - 86_400 - 31},
        {"nbf": NOW + 31},
        {"nbf": "now"},
        {"aud": None},
        {"aud": "https://gateway.example.com.evil.org"},
        {"aud": "https://gateway.example.com/"},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": [AUDIENCE, 7]},
        {"aud": {"a": AUDIENCE}},
        {"iss": None},
        {"iss": ISSUER + "/"},
        {"iss": "https://ID.example.com"},
        {"iss": [ISSUER]},
        {"sub": None},
        {"sub": ""},
        {"sub": "*"},
        {"sub": "alice*"},
        {"sub": "a\nb"},
        {"sub": 7},
        {"sub": "x" * 201},
        {"at_hash": "abc"},
        {"c_hash": "abc"},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"events": {}},
    ],
)
async def test_claims_that_let_nobody_in(world: World, changed: dict[str, Any]) -> None:
    await refused(world, signed(claims(**changed)))


async def test_clocks_may_be_a_little_wrong_and_audiences_several(world: World) -> None:
    for changed in ({"exp": NOW - 29}, {"iat": NOW + 29}, {"nbf": NOW + 29}, {"aud": ["x", AUDIENCE]}):
        await world.ring.authenticate(signed(claims(**changed)))


async def test_clients_can_be_pinned(world: World) -> None:
    world.ring.use((issuer(clients=("app",)),))

    await world.ring.authenticate(signed(claims(azp="app")))
    await world.ring.authenticate(signed(claims(client_id="app")))
    await refused(world, signed(claims(azp="other", client_id="app")))
    await refused(world, signed())


async def test_a_key_of_another_issuer_with_the_same_id_checks_nothing_here(world: World) -> None:
    world.ring.use((issuer(), issuer(issuer=OTHER, tenant="other")))
    await world.ring.authenticate(signed(claims(iss=OTHER), key=SECOND_RSA))

    assert "signature" in await refused(world, signed(claims(iss=ISSUER), key=SECOND_RSA))
    assert "signature" in await refused(world, signed(claims(iss=OTHER), key=RSA))


async def test_an_issuer_that_is_not_named_is_never_asked(world: World) -> None:
    await refused(world, signed(claims(iss="https://169.254.169.254")))

    assert not world.web.asked


async def test_two_tokens_that_begin_alike_are_two(world: World) -> None:
    """CVE-2026-35030: a gateway kept tokens by their first characters."""
    alice, bob = signed(), signed(claims(sub="mallory", roles=["bots"]))
    assert alice[:20] == bob[:20]

    first = await world.ring.authenticate(alice)
    second = await world.ring.authenticate(bob)

    assert (first.subject, second.subject) == ("alice", "mallory")
    await refused(world, alice[:-4] + "AAAA")


def test_one_spelling_is_what_the_encoder_makes() -> None:
    assert part(b"x") == urlsafe_b64encode(b"x").rstrip(b"=").decode()
