"""Whom a login lets in: looked up for every request, so that one that ended is over everywhere at once."""

from datetime import timedelta
from typing import Final, NamedTuple

from application.ports.sessions import SessionStore
from application.ports.system import Clock
from application.role_book import RoleBook
from domain.errors import InvalidToken
from domain.tenancy.identity import Identity, principal_of
from domain.tenancy.principal import Principal
from domain.tenancy.session import (
    PER_SUBJECT_MAX,
    SECRET_CHARS,
    SESSIONS_MAX,
    Session,
    counts_as_seen,
    digest_of,
    is_over,
)

_OVER: Final = "this login is over; log in again"


class SessionTerms(NamedTuple):
    """`policy` is the fingerprint of what lets people log in; with another one their sessions are over."""

    policy: str
    lasts: timedelta
    idle: timedelta


class SessionRing:
    """Without terms nobody can log in, and whoever did is let in no more."""

    def __init__(self, store: SessionStore, clock: Clock, roles: RoleBook) -> None:
        self._store = store
        self._clock = clock
        self._roles = roles
        self._terms: SessionTerms | None = None

    def use(self, terms: SessionTerms | None) -> None:
        """From the next request on."""
        self._terms = terms

    async def begin(self, identity: Identity, secret: str) -> Session:
        """A session that whoever shows `secret` has. Raises InvalidToken without terms, StoreUnavailable."""
        terms, now = self._terms, self._clock.utc_now()
        if terms is None:
            raise InvalidToken("nobody can log in here")
        session = Session(
            digest=digest_of(secret),
            identity=identity,
            policy=terms.policy,
            created_at=now,
            seen_at=now,
            ends_at=now + terms.lasts,
        )
        await self._store.keep(session, sessions_max=SESSIONS_MAX, per_subject_max=PER_SUBJECT_MAX)
        return session

    async def session(self, secret: str) -> Session:
        """The session of a secret. Raises InvalidToken for one that is over or unknown, StoreUnavailable."""
        terms, now = self._terms, self._clock.utc_now()
        if terms is None or len(secret) != SECRET_CHARS:
            raise InvalidToken(_OVER)
        session = await self._store.find(digest_of(secret))
        if session is None:
            raise InvalidToken(_OVER)
        if session.policy != terms.policy or is_over(session, now, terms.idle):
            await self._store.end(session.digest)
            raise InvalidToken(_OVER)
        if not counts_as_seen(session, now):
            await self._store.seen(session.digest, now)
        return session

    async def authenticate(self, secret: str) -> Principal:
        """As `session`: whom it lets in, with the permissions of this moment."""
        return self.principal(await self.session(secret))

    def principal(self, session: Session) -> Principal:
        """Whom a session lets in."""
        who = session.identity
        granted = self._roles.permissions_of(who.role, who.tenant_id, who.scopes)
        return principal_of(who, granted, "session")

    async def end(self, secret: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        return await self._store.end(digest_of(secret))

    async def tidy(self) -> None:
        """Drops what is over. Raises StoreUnavailable."""
        now = self._clock.utc_now()
        idle = timedelta(days=1) if self._terms is None else self._terms.idle
        await self._store.forget(ended_by=now, seen_before=now - idle)
