"""Who is logged in, for pages: the person behind a request, what its forms have to prove, logins by key."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from starlette.requests import Request

from application.audit_trail import Surroundings
from domain.errors import Forbidden, InterchangeError, InvalidRequest, Unauthenticated
from domain.tenancy.principal import Principal
from domain.tenancy.session import Session, csrf_token
from entrypoints.http.addresses import client_address
from entrypoints.http.asgi import Scope
from entrypoints.http.guard import Door
from entrypoints.http.login_cookies import (
    CSRF_FIELD,
    CSRF_HEADER,
    SESSION,
    attended,
    check_proof,
    check_same_page,
    login_in,
    set_cookie,
    shows_login,
)
from entrypoints.http.page_origins import page_origins, reached_as
from entrypoints.identity import Identities

KEY: Final = "key"
OIDC: Final = "oidc"


class Person(NamedTuple):
    """Somebody who is logged in. `csrf` is what forms of this login prove themselves with; `kind` is how it
    began, `key` or `oidc`; `ends_at` when it ends at the latest, aware UTC."""

    principal: Principal
    csrf: str
    name: str
    kind: str
    ends_at: datetime


class LoggedIn(NamedTuple):
    """What came of a login by key. `cookie` is the header that the answer has to set."""

    person: Person
    cookie: tuple[str, str]


class People:
    """For routes that pages are served by. Everything is judged by the one entrance."""

    def __init__(self, door: Door, identities: Identities) -> None:
        self._door = door
        self._identities = identities

    async def known(self, scope: Scope) -> Person | None:
        """Who is logged in; None: nobody, or nobody can tell. Keys in headers are no login."""
        headers = dict(scope["headers"])
        origins = page_origins(scope, headers, self._identities.origin)
        if not shows_login(scope, headers, origins):
            return None
        try:
            principal = await self._door.entrance.admit(scope, headers)
            secret, _ = login_in(headers, origins)
            session = await self._identities.sessions.session(secret, attended=attended(scope))
        except InterchangeError:
            return None
        return _person(principal, session, secret)

    async def check_form(self, scope: Scope, form: Mapping[str, str]) -> None:
        """For every form of a page, before anything is done: its field `csrf` or the header proves that a
        page of this login sent it. Raises Forbidden."""
        headers = dict(scope["headers"])
        secret, origins = login_in(headers, page_origins(scope, headers, self._identities.origin))
        if not secret:
            raise Forbidden("nobody is logged in here")
        check_same_page(headers, origins)
        check_proof(headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, "").encode(), secret)

    async def log_in(self, request: Request, key: str) -> LoggedIn:
        """Begins a session of whoever holds this key; the one the browser had ends.

        Raises:
            Forbidden: a page of somebody else's sent it, this server was reached under a strange name, or the
                key may not be used from there.
            Unauthenticated: the key lets nobody in. It counts as a failed authentication.
            TooManyFailures: the same, once more than an address may fail in a minute.
            NotFound: nobody can log in by key here.
            RateLimited, StoreUnavailable: not now.
        """
        scope, door = request.scope, self._door
        headers = dict(scope["headers"])
        origin = reached_as(scope, headers, self._identities.origin)
        origins = page_origins(scope, headers, self._identities.origin)
        check_same_page(headers, origins)
        secret = secrets.token_urlsafe(32)
        try:
            session = await self._identities.sessions.begin_by_key(key.strip(), secret)
        except (Unauthenticated, Forbidden) as error:
            door.entrance.note_login(scope, error)
            raise
        try:
            principal = self._identities.sessions.principal(session)
            door.entrance.check_place(scope, principal)
            door.pace.take(principal)
            where = Surroundings(client_address(scope), door.ids.next("req"))
            async with door.audit.trail.act(principal, "sessions.create", "", {"by": KEY}, where):
                before, _ = login_in(headers, origins)
                if before:
                    await self._identities.sessions.end(before)
        except InterchangeError:
            await self._identities.sessions.end(secret)
            raise
        lasts_s = int((session.ends_at - session.created_at).total_seconds())
        person = _person(principal, session, secret)
        return LoggedIn(person, set_cookie(SESSION, secret, origin, kept_s=max(1, lasts_s)))

    async def log_out(self, scope: Scope) -> tuple[str, str]:
        """Ends the login that this request comes with; returns the header that removes its cookie.

        Whoever calls this checked that a page of the login asked for it. Raises InvalidRequest where there is
        none, StoreUnavailable.
        """
        headers = dict(scope["headers"])
        secret, origins = login_in(headers, page_origins(scope, headers, self._identities.origin))
        if not secret:
            raise InvalidRequest("only a login can be logged out; revoke a key instead", param="cookie")
        await self._identities.sessions.end(secret)
        return set_cookie(SESSION, "", origins[0], kept_s=0)

    def secret(self, scope: Scope) -> str:
        """Of the login that this request comes with; empty: none."""
        headers = dict(scope["headers"])
        return login_in(headers, page_origins(scope, headers, self._identities.origin))[0]


def _person(principal: Principal, session: Session, secret: str) -> Person:
    kind = KEY if session.by_key else OIDC
    return Person(principal, csrf_token(secret), principal.key_name, kind, session.ends_at)
