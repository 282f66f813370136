"""Logging in by an OpenID provider: the authorization code flow with PKCE (RFC 6749, 7636; OIDC Core 3.1).

All that one login needs to remember is one secret in the browser that began it: state, nonce and the code's
verifier are derived from it, so whoever comes back with the answer of another browser's login has none that
fit.
"""

import hmac
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import urlencode

from application.ports.system import Clock
from application.ports.token_verifier import IdentityProvider, TokenVerifier
from application.session_ring import SessionRing
from domain.errors import InvalidRequest, InvalidToken, NotFound
from domain.tenancy.identity import identify
from domain.tenancy.issuer import PLAIN, Issuer, check_claims
from domain.tenancy.session import SECRET_CHARS, Session, derived, digest_of

LASTS_S: Final = 600.0
"""Between leaving for the provider and coming back."""
USED_MAX: Final = 10_000
CODE_CHARS_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPolicy:
    """Who logs in where. `redirect_url` is known to the provider letter by letter."""

    issuer: Issuer
    client_id: str
    client_secret: str | None
    scopes: tuple[str, ...]
    redirect_url: str

    @property
    def judged_by(self) -> Issuer:
        """What ID tokens have to be like: made for this client."""
        return replace(self.issuer, audiences=(self.client_id,), types=(PLAIN,), clients=(), id_tokens=True)

    def fingerprint(self) -> str:
        """Changes with anything that could change whom a login lets in."""
        return self.judged_by.fingerprint()


class CameBack(NamedTuple):
    """What the provider sent somebody back with."""

    code: str
    state: str
    issuer: str
    error: str


class LogIn:
    """Belongs to one event loop. Without a policy there is no login."""

    def __init__(
        self, provider: IdentityProvider, verifier: TokenVerifier, sessions: SessionRing, clock: Clock
    ) -> None:
        self._provider = provider
        self._verifier = verifier
        self._sessions = sessions
        self._clock = clock
        self._policy: LoginPolicy | None = None
        self._used: OrderedDict[str, float] = OrderedDict()

    def use(self, policy: LoginPolicy | None) -> None:
        """From the next login on."""
        self._policy = policy

    @property
    def possible(self) -> bool:
        """Whether there is a provider to log in by."""
        return self._policy is not None

    def policy(self) -> LoginPolicy:
        """Raises NotFound: nobody can log in here."""
        if self._policy is None:
            raise NotFound("there is no login here; the operator has to configure identity.login")
        return self._policy

    async def begin(self, secret: str) -> str:
        """Where to send a browser that keeps `secret`. Raises NotFound, StoreUnavailable."""
        policy = self.policy()
        facts = await self._provider.facts(policy.issuer)
        challenge = sha256(derived(secret, "verifier").encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": policy.client_id,
            "redirect_uri": policy.redirect_url,
            "scope": " ".join(policy.scopes),
            "state": derived(secret, "state"),
            "nonce": derived(secret, "nonce"),
            "code_challenge": urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in facts.authorization_url else "?"
        return f"{facts.authorization_url}{joint}{urlencode(asked)}"

    async def finish(self, secret: str, back: CameBack, session_secret: str) -> Session:
        """The session of whoever came back, known by `session_secret` from now on.

        Raises:
            InvalidToken: the answer is to another login, was used before, or cannot be believed.
            InvalidRequest: the provider sent an error.
            Forbidden: nothing here lets this person in.
            NotFound, StoreUnavailable: as `begin`.
        """
        policy = self.policy()
        self._use_once(secret, back.state)
        if back.error:
            told = f"the identity provider ended this login: {back.error[:80]!r}"
            raise InvalidRequest(told, param="error")
        if not back.code or len(back.code) > CODE_CHARS_MAX:
            raise InvalidRequest("the identity provider sent no code", param="code")
        facts = await self._provider.facts(policy.issuer)
        if back.issuer != policy.issuer.issuer and (back.issuer or facts.names_itself):
            raise InvalidToken("this answer is of another identity provider")
        fields = {
            "grant_type": "authorization_code",
            "client_id": policy.client_id,
            "code": back.code,
            "redirect_uri": policy.redirect_url,
            "code_verifier": derived(secret, "verifier"),
        }
        token = await self._provider.redeem(facts, fields, policy.client_secret)
        claims = await self._claims(policy, token)
        if not _same(claims.get("nonce"), derived(secret, "nonce")):
            raise InvalidToken("this answer is to another login; begin it again")
        return await self._sessions.begin(identify(policy.judged_by, claims), session_secret)

    async def _claims(self, policy: LoginPolicy, token: str) -> Mapping[str, object]:
        if self._verifier.issuer_named(token) != policy.issuer.issuer:
            raise InvalidToken("this answer is of another identity provider")
        claims = await self._verifier.claims(token, policy.judged_by)
        check_claims(policy.judged_by, claims, self._clock.utc_now().timestamp())
        return claims

    def _use_once(self, secret: str, state: str) -> None:
        """Each login is finished once at most, whatever comes of it."""
        if len(secret) != SECRET_CHARS or not _same(state, derived(secret, "state")):
            raise InvalidToken("this answer is to another login; begin it again")
        now, digest = self._clock.monotonic(), digest_of(secret)
        while self._used and (len(self._used) >= USED_MAX or now - next(iter(self._used.values())) > LASTS_S):
            self._used.popitem(last=False)
        if digest in self._used:
            raise InvalidToken("this login was finished before; begin another one")
        self._used[digest] = now


def _same(shown: object, expected: str) -> bool:
    return isinstance(shown, str) and hmac.compare_digest(shown.encode(), expected.encode())
