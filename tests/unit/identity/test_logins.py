"""Logins against a provider that lies, and sessions over time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.memory.sessions import InMemorySessionStore
from application.ports.token_verifier import IdentityProvider, ProviderFacts
from application.session_ring import SessionRing, SessionTerms
from application.use_cases.log_in import CameBack, LogIn, LoginPolicy
from domain.errors import Forbidden, InvalidRequest, InvalidToken, NotFound
from domain.tenancy.identity import identify
from domain.tenancy.issuer import Issuer
from domain.tenancy.session import csrf_token, derived, digest_of
from tests.unit.identity.world import ISSUER, OTHER, SECOND_RSA, World, claims, issuer, signed

CLIENT = "interchange"
SECRET = "s" * 43
SESSION = "t" * 43
TERMS = SessionTerms("policy", timedelta(hours=8), timedelta(minutes=30))


class Scripted(IdentityProvider):
    """Gives `token` for any code, and remembers what it was asked."""

    def __init__(self) -> None:
        self.token = ""
        self.fields: dict[str, str] = {}
        self.told = ProviderFacts(
            ISSUER, f"{ISSUER}/authorize?x=1", f"{ISSUER}/token", f"{ISSUER}/jwks", True
        )

    async def facts(self, issuer: Issuer) -> ProviderFacts:
        return self.told

    async def redeem(self, facts: ProviderFacts, fields: Mapping[str, str], client_secret: str | None) -> str:
        self.fields = dict(fields)
        return self.token


class Scene:
    def __init__(self) -> None:
        self.world, self.provider, self.store = World(), Scripted(), InMemorySessionStore()
        self.sessions = SessionRing(self.store, self.world.clock, self.world.roles)
        self.log_in = LogIn(self.provider, self.world.verifier, self.sessions, self.world.clock)
        self.policy = LoginPolicy(
            issuer=issuer(),
            client_id=CLIENT,
            client_secret="secret",
            scopes=("openid",),
            redirect_url="https://gateway.example.com/auth/callback",
        )
        self.log_in.use(self.policy)
        self.sessions.use(TERMS)

    async def finish(self, token: str | None = None, secret: str = SECRET, **changed: str) -> None:
        self.provider.token = id_token() if token is None else token
        back = CameBack("code", derived(secret, "state"), ISSUER, "")._replace(**changed)
        await self.log_in.finish(secret, back, SESSION)

    async def refused(self, token: str | None = None, **changed: Any) -> None:
        with pytest.raises(InvalidToken):
            await self.finish(token, **changed)
        with pytest.raises(InvalidToken):
            await self.sessions.authenticate(SESSION)


def id_token(*, key: Any = None, typ: str | None = "JWT", **changed: Any) -> str:
    said = claims(**{"aud": CLIENT, "nonce": derived(SECRET, "nonce"), **changed})
    return signed(said, typ=typ) if key is None else signed(said, typ=typ, key=key)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_login_is_a_session_with_the_permissions_of_its_role(scene: Scene) -> None:
    await scene.finish()

    by = await scene.sessions.authenticate(SESSION)
    assert (by.kind, by.subject, by.role) == ("session", "alice", "developer")
    assert scene.provider.fields["code_verifier"] == derived(SECRET, "verifier")


async def test_what_the_browser_is_sent_with_tells_nothing_of_its_secret(scene: Scene) -> None:
    url = await scene.log_in.begin(SECRET)
    query = parse_qs(urlsplit(url).query)

    assert query["x"] == ["1"]
    assert SECRET not in url and derived(SECRET, "verifier") not in url and csrf_token(SECRET) not in url
    assert query["state"] == [derived(SECRET, "state")]


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": 7},
        {"aud": "https://gateway.example.com"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": OTHER},
        {"exp": 1},
        {"iat": None},
        {"sub": None},
        {"sub": "*"},
    ],
)
async def test_tokens_that_log_nobody_in(scene: Scene, changed: dict[str, Any]) -> None:
    await scene.refused(id_token(**changed))


async def test_neither_do_forged_ones_nor_access_tokens(scene: Scene) -> None:
    await scene.refused(id_token(key=SECOND_RSA))
    scene = Scene()
    await scene.refused(id_token(typ="at+jwt"))
    scene = Scene()
    await scene.refused("not a token")


async def test_an_id_token_of_a_login_is_no_token_to_call_with(scene: Scene) -> None:
    token = id_token(at_hash="x")
    await scene.finish(token)

    with pytest.raises(InvalidToken):
        await scene.world.ring.authenticate(token)


async def test_state_is_the_browsers_own_and_counts_once(scene: Scene) -> None:
    for forged in ("", "x", derived("u" * 43, "state")):
        await scene.refused(state=forged)
    await scene.refused(secret="short")

    await scene.finish()
    with pytest.raises(InvalidToken):
        await scene.finish()


async def test_a_failed_answer_uses_a_login_up_too(scene: Scene) -> None:
    with pytest.raises(InvalidRequest):
        await scene.finish(error="access_denied")

    await scene.refused()


async def test_answers_say_whose_they_are_where_the_provider_does(scene: Scene) -> None:
    await scene.refused(issuer="")
    scene = Scene()
    await scene.refused(issuer=OTHER)
    scene = Scene()
    scene.provider.told = scene.provider.told._replace(names_itself=False)
    await scene.refused(issuer=OTHER)
    scene = Scene()
    scene.provider.told = scene.provider.told._replace(names_itself=False)
    await scene.finish(issuer="")


async def test_whom_nothing_lets_in_gets_no_session(scene: Scene) -> None:
    with pytest.raises(Forbidden):
        await scene.finish(id_token(roles=["others"]))

    assert await scene.store.find(digest_of(SESSION)) is None


async def test_without_a_policy_there_is_no_login(scene: Scene) -> None:
    scene.log_in.use(None)

    with pytest.raises(NotFound):
        await scene.log_in.begin(SECRET)
    with pytest.raises(NotFound):
        await scene.finish()


# Sessions


async def begun(scene: Scene) -> None:
    await scene.sessions.begin(identify(issuer(), claims()), SESSION)


async def test_a_session_ends_when_it_is_old_and_when_it_is_not_used(scene: Scene) -> None:
    await begun(scene)
    for minutes in range(20, 8 * 60, 20):
        scene.world.clock.passed_s = minutes * 60
        await scene.sessions.authenticate(SESSION)
    scene.world.clock.passed_s = 8 * 3600
    with pytest.raises(InvalidToken):
        await scene.sessions.authenticate(SESSION)

    scene = Scene()
    await begun(scene)
    scene.world.clock.passed_s = 30 * 60
    with pytest.raises(InvalidToken):
        await scene.sessions.authenticate(SESSION)


async def test_other_terms_end_it_for_good(scene: Scene) -> None:
    await begun(scene)
    scene.sessions.use(TERMS._replace(policy="another"))
    with pytest.raises(InvalidToken):
        await scene.sessions.authenticate(SESSION)

    scene.sessions.use(TERMS)
    with pytest.raises(InvalidToken):
        await scene.sessions.authenticate(SESSION)


async def test_without_terms_nobody_who_logged_in_is_let_in(scene: Scene) -> None:
    await begun(scene)
    scene.sessions.use(None)

    with pytest.raises(InvalidToken):
        await scene.sessions.authenticate(SESSION)


async def test_use_is_written_down_once_a_minute_at_most(scene: Scene) -> None:
    await begun(scene)
    first = await scene.store.find(digest_of(SESSION))
    scene.world.clock.passed_s = 59
    await scene.sessions.authenticate(SESSION)
    assert await scene.store.find(digest_of(SESSION)) == first

    scene.world.clock.passed_s = 61
    await scene.sessions.authenticate(SESSION)
    assert await scene.store.find(digest_of(SESSION)) != first


async def test_what_is_over_is_tidied_away(scene: Scene) -> None:
    await begun(scene)
    scene.world.clock.passed_s = 31 * 60

    await scene.sessions.tidy()

    assert await scene.store.find(digest_of(SESSION)) is None


@pytest.mark.parametrize("secret", ["", "x", "t" * 42, "t" * 44, "\ud800" * 43, "T" * 43])
async def test_guessed_secrets_let_nobody_in(scene: Scene, secret: str) -> None:
    await begun(scene)

    with pytest.raises(InvalidToken):
        await scene.sessions.authenticate(secret)
