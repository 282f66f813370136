"""Whom a login lets in: looked up for every request, so that one that ended is over everywhere at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple

from application.key_ring import KeyRing
from application.ports.sessions import SessionStore
from application.ports.system import Clock
from application.role_book import RoleBook
from domain.errors import InvalidToken, NotFound, Unauthenticated
from domain.tenancy.identity import Identity, principal_of
from domain.tenancy.principal import Principal
from domain.tenancy.session import (
    PER_SUBJECT_MAX,
    SECRET_CHARS,
    SESSIONS_MAX,
    Session,
    digest_of,
    holder,
    is_over,
    renews,
)

_OVER: Final = "this login is over; log in again"


class SessionTerms(NamedTuple):
    """`policy` is the fingerprint of what lets people log in; with another one their sessions are over. Of
    logins by key it is empty: what lets in is the key, which is looked up each time."""

    policy: str
    lasts: timedelta
    idle: timedelta


class SessionRing:
    """Without terms nobody can log in, and whoever did is let in no more. Logins by key have their own."""

    def __init__(
        self, store: SessionStore, clock: Clock, roles: RoleBook, keys: KeyRing | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._roles = roles
        self._keys = keys
        self._terms: SessionTerms | None = None
        self._key_terms: SessionTerms | None = None

    def use(self, terms: SessionTerms | None) -> None:
        """How people log in by a provider, from the next request on."""
        self._terms = terms

    def use_keys(self, lasts: timedelta | None, idle: timedelta) -> None:
        """How long logins by key last, from the next request on; `lasts` None: there are none."""
        self._key_terms = None if lasts is None else SessionTerms("", lasts, idle)

    async def begin_by_key(self, token: str, secret: str) -> Session:
        """A session of whoever holds the key `token`. Ends with the key at the latest.

        Raises:
            NotFound: nobody can log in by key here.
            Unauthenticated, StoreUnavailable: as `KeyRing.authenticate`.
        """
        if self._key_terms is None or self._keys is None:
            raise NotFound("there is no login by key here; the operator turned identity.key_login off")
        until = self._keys.lets_in_until(token)
        by = self._keys.authenticate(token)
        session = self._made(holder(by), secret, self._key_terms)
        ends_at = session.ends_at if until is None else min(until, session.ends_at)
        session = replace(session, policy=self._keys.secret_version(by), ends_at=ends_at)
        await self._store.keep(session, sessions_max=SESSIONS_MAX, per_subject_max=PER_SUBJECT_MAX)
        return session

    async def begin(self, identity: Identity, secret: str) -> Session:
        """A session that whoever shows `secret` has. Raises InvalidToken without terms, StoreUnavailable."""
        if self._terms is None:
            raise InvalidToken("nobody can log in here")
        session = self._made(identity, secret, self._terms)
        await self._store.keep(session, sessions_max=SESSIONS_MAX, per_subject_max=PER_SUBJECT_MAX)
        return session

    async def session(self, secret: str, *, attended: bool = True) -> Session:
        """The session of a secret; `attended`: a person asks, and not a page by itself, so that the idle time
        begins anew. Raises InvalidToken for one that is over or unknown, StoreUnavailable."""
        now = self._clock.utc_now()
        if (self._terms is None and self._key_terms is None) or len(secret) != SECRET_CHARS:
            raise InvalidToken(_OVER)
        session = await self._store.find(digest_of(secret))
        if session is None:
            raise InvalidToken(_OVER)
        terms = self._terms_of(session)
        if terms is None or _otherwise(session, terms) or is_over(session, now, terms.idle):
            await self._store.end(session.digest)
            raise InvalidToken(_OVER)
        if renews(session, now, attended=attended):
            await self._store.seen(session.digest, now)
        return session

    async def authenticate(self, secret: str, *, attended: bool = True) -> Principal:
        """As `session`: whom it lets in, with the permissions of this moment. Raises also TenantSuspended."""
        return await self.let_in(await self.session(secret, attended=attended))

    async def let_in(self, session: Session) -> Principal:
        """Whom a session lets in now. Raises InvalidToken where its key does no more, which ends it,
        TenantSuspended and StoreUnavailable."""
        try:
            return self.principal(session)
        except Unauthenticated:
            await self._store.end(session.digest)
            raise InvalidToken(_OVER) from None

    def principal(self, session: Session) -> Principal:
        """Whom a session lets in. Raises as `KeyRing.holder_of` for a login by key."""
        who = session.identity
        if session.by_key:
            if self._keys is None:
                raise InvalidToken(_OVER)
            held = self._keys.holder_of(who.tenant_id, who.subject, secret_version=session.policy)
            return replace(held, kind="session")
        granted = self._roles.permissions_of(who.role, who.tenant_id, who.scopes)
        return principal_of(who, granted, "session")

    def idle_of(self, session: Session) -> timedelta:
        """How long this one may be unused."""
        terms = self._terms_of(session)
        return timedelta(0) if terms is None else terms.idle

    def _terms_of(self, session: Session) -> SessionTerms | None:
        return self._key_terms if session.by_key else self._terms

    def _made(self, identity: Identity, secret: str, terms: SessionTerms) -> Session:
        now = self._clock.utc_now()
        return Session(
            digest=digest_of(secret),
            identity=identity,
            policy=terms.policy,
            created_at=now,
            seen_at=now,
            ends_at=now + terms.lasts,
        )

    async def end(self, secret: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        return await self._store.end(digest_of(secret))

    async def tidy(self) -> None:
        """Drops what is over. Raises StoreUnavailable."""
        now = self._clock.utc_now()
        idle = max((each.idle for each in (self._terms, self._key_terms) if each), default=timedelta(days=1))
        await self._store.forget(ended_by=now, seen_before=now - idle)


def _otherwise(session: Session, terms: SessionTerms) -> bool:
    """Whether an issuer's section lets people in otherwise now than when this session began."""
    return not session.by_key and session.policy != terms.policy
