"""Puts together who is let in without a key: by a token of an issuer, or by a login."""

from dataclasses import dataclass
from typing import NamedTuple

from application.key_ring import KeyRing
from application.ports.sessions import SessionStore
from application.ports.system import Clock
from application.ports.token_verifier import IdentityProvider, TokenVerifier
from application.role_book import RoleBook
from application.session_ring import SessionRing, SessionTerms
from application.token_ring import TokenRing
from application.use_cases.log_in import LogIn, LoginPolicy
from entrypoints.background import BackgroundTasks, every
from entrypoints.config.identity_section import CALLBACK, CommandLoginSettings
from entrypoints.settings import Settings

TIDY_EVERY_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityBackends:
    """What stands behind it."""

    verifier: TokenVerifier
    provider: IdentityProvider
    sessions: SessionStore


class IssuerTold(NamedTuple):
    """What came of asking an issuer. `problem` empty: its tokens can be checked with so many keys."""

    issuer: str
    problem: str
    keys: int = 0


class Identities:
    """What the entrance, routes and the lifespan use; `use` puts another configuration in force."""

    def __init__(
        self, backends: IdentityBackends, clock: Clock, roles: RoleBook, settings: Settings, keys: KeyRing
    ) -> None:
        self.provider = backends.provider
        self.tokens = TokenRing(backends.verifier, clock, roles)
        self.sessions = SessionRing(backends.sessions, clock, roles, keys)
        self.log_in = LogIn(backends.provider, backends.verifier, self.sessions, clock)
        self.command: CommandLoginSettings | None = None
        self.origin = settings.server.public_url or ""
        """Where browsers find this server; empty: only on this machine."""
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """From the next request on. Whoever an issuer's section lets in otherwise than before has to log in
        again."""
        self.tokens.use(settings.identity.policies(), settings.identity.token_cache_s)
        policy, login = login_policy(settings), settings.identity.login
        by_key = settings.identity.key_login
        self.sessions.use_keys(by_key.lasts, by_key.idle)
        self.log_in.use(policy)
        self.command = None if login is None else login.cli
        if policy is None or login is None:
            self.sessions.use(None)
        else:
            self.sessions.use(SessionTerms(policy.fingerprint(), login.lasts, login.idle))

    def start(self, tasks: BackgroundTasks) -> None:
        """What runs beside requests."""
        tasks.start("logins", lambda: every(TIDY_EVERY_S, self.sessions.tidy))


def login_policy(settings: Settings) -> LoginPolicy | None:
    """How people log in; None: they cannot."""
    login, public_url = settings.identity.login, settings.server.public_url
    if login is None or public_url is None:
        return None
    issuer = next(each for each in settings.identity.policies() if each.issuer == login.issuer)
    secret = login.client_secret
    return LoginPolicy(
        issuer=issuer,
        client_id=login.client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        scopes=login.scopes,
        redirect_url=public_url.rstrip("/") + CALLBACK,
    )
