"""`/auth`: logging in by the identity provider or by a key, who one is, and logging out."""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from application.audit_trail import Surroundings
from application.use_cases.log_in import LASTS_S, CameBack
from domain.errors import (
    Forbidden,
    InterchangeError,
    InvalidRequest,
    NotFound,
    TooManyFailures,
    Unauthenticated,
)
from domain.tenancy.principal import Principal
from domain.tenancy.session import csrf_token
from entrypoints.http.addresses import client_address
from entrypoints.http.audited import forget_body
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded
from entrypoints.http.login_cookies import PAGES, PENDING, SESSION, cookie, proved_later, set_cookie
from entrypoints.http.people import KEY, OIDC, People
from entrypoints.identity import Identities

_LOCAL_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~=&%-]*)?")
"""Where to go after a login: a path here, and nothing a browser could take for another server."""
_PATH_CHARS_MAX: Final = 500
FIELDS_MAX: Final = 20
FIRST: Final = "/ui"
_NOT_KEPT: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def auth_routes(door: Door, identities: Identities) -> list[Route]:
    """The routes."""
    pages = _Pages(door, identities)
    return guarded_routes(
        door,
        {
            ("GET", "/auth/login"): pages.log_in,
            ("GET", "/auth/callback"): pages.come_back,
            ("GET", "/auth/session"): pages.show,
            ("GET", "/auth/cli"): pages.command,
            ("POST", "/auth/key"): pages.log_in_by_key,
            ("POST", "/auth/logout"): pages.log_out,
        },
    )


class KeyLogin(Body):
    """`POST /auth/key`."""

    key: str


class _Pages:
    def __init__(self, door: Door, identities: Identities) -> None:
        self._door = door
        self._identities = identities
        self._people = People(door, identities)

    async def log_in(self, request: Request, by: Principal) -> Any:
        """Sends the browser to the provider."""
        only_parameters(request, "return_to")
        self._door.entrance.check_login(request.scope)
        target = request.query_params.get("return_to", "/")
        if len(target) > _PATH_CHARS_MAX or not _LOCAL_PATH.fullmatch(target) or "//" in target:
            raise InvalidRequest("return_to must be a path of this server", param="return_to")
        secret = secrets.token_urlsafe(32)
        url = await self._identities.log_in.begin(secret)
        return self._redirect(url, {PENDING: (secret + target, int(LASTS_S))})

    async def come_back(self, request: Request, by: Principal) -> Any:
        """Takes the provider's answer, and begins a session of its own: none that was there goes on."""
        asked, origin = request.query_params, self._identities.origin
        for name in ("code", "state", "iss", "error"):
            if len(asked.getlist(name)) > 1:
                raise InvalidRequest(f"{name} stands there twice", param=name)
        self._identities.log_in.policy()
        headers = dict(request.scope["headers"])
        pending = cookie(headers, PENDING, origin)
        back = CameBack(
            asked.get("code", ""), asked.get("state", ""), asked.get("iss", ""), asked.get("error", "")
        )
        address, session_secret = client_address(request.scope), secrets.token_urlsafe(32)
        self._door.entrance.check_login(request.scope)
        try:
            session = await self._identities.log_in.finish(pending[:43], back, session_secret)
        except (Unauthenticated, Forbidden) as error:
            self._door.entrance.note_login(request.scope, error)
            raise
        person = self._identities.sessions.principal(session)
        where = Surroundings(address, "")
        try:
            self._door.entrance.check_place(request.scope, person)
            async with self._door.audit.trail.act(person, "sessions.create", "", {}, where):
                before = cookie(headers, SESSION, origin)
                if before:
                    await self._identities.sessions.end(before)
        except InterchangeError:
            await self._identities.sessions.end(session_secret)
            raise
        target = pending[43:]
        if not _LOCAL_PATH.fullmatch(target) or "//" in target:
            target = "/"
        lasts_s = int((session.ends_at - session.created_at).total_seconds())
        return self._redirect(target, {SESSION: (session_secret, lasts_s), PENDING: ("", 0)})

    async def show(self, request: Request, by: Principal) -> Any:
        """Who the caller is; of a login also what its pages have to send along."""
        told: dict[str, Any] = {
            "kind": by.kind,
            "subject": by.subject,
            "name": by.key_name,
            "tenant_id": by.tenant_id,
            "role": by.role,
            "permissions": sorted(by.permissions),
            "login": None,
            "expires_at": None,
            "idle_s": None,
            "csrf_token": None,
        }
        if by.kind == "session":
            secret, sessions = self._people.secret(request.scope), self._identities.sessions
            session = await sessions.session(secret)
            told |= {
                "login": KEY if session.by_key else OIDC,
                "expires_at": session.ends_at.isoformat(),
                "idle_s": int(sessions.idle_of(session).total_seconds()),
                "csrf_token": csrf_token(secret),
            }
        return {"data": told}

    async def log_in_by_key(self, request: Request, by: Principal) -> Any:
        """A session for whoever shows a key. A form is sent on to a page, JSON is told who it is."""
        raw = await read_bounded(request)
        forget_body(request)
        if not _is_form(request):
            came = await self._people.log_in(request, decode(raw, KeyLogin).key)
            person = came.person
            told = {
                "name": person.name,
                "tenant_id": person.principal.tenant_id,
                "role": person.principal.role,
                "expires_at": person.ends_at.isoformat(),
                "csrf_token": person.csrf,
            }
            answer = Response(
                msgspec.json.encode({"data": told}), headers=_NOT_KEPT, media_type="application/json"
            )
            answer.headers.append(*came.cookie)
            return answer
        form = _form(raw)
        target = _page_of(form.get("return_to", ""))
        try:
            came = await self._people.log_in(request, form.get("key", ""))
        except TooManyFailures:
            raise
        except Unauthenticated:
            return self._redirect("/ui/login?" + urlencode({"said": "refused", "to": target}), {})
        response = self._redirect(target, {})
        response.headers.append(*came.cookie)
        return response

    async def command(self, request: Request, by: Principal) -> Any:
        """What `interchange login` needs: public facts about a public client."""
        policy, command = self._identities.log_in.policy(), self._identities.command
        if command is None:
            raise NotFound("there is no login for commands here; the operator configures identity.login.cli")
        return {
            "issuer": policy.issuer.issuer,
            "client_id": command.client_id,
            "scopes": list(command.scopes),
            "resource": command.resource,
            "audience": command.audience,
        }

    async def log_out(self, request: Request, by: Principal) -> Any:
        """Ends the login here; the provider's own goes on."""
        if by.kind != "session":
            raise InvalidRequest("only a login can be logged out; revoke a key instead", param="cookie")
        a_form = proved_later(request.scope, dict(request.scope["headers"]))
        if a_form:
            raw = await read_bounded(request)
            forget_body(request)
            await self._people.check_form(request.scope, _form(raw))
        removed = await self._people.log_out(request.scope)
        response = Response(status_code=204, headers=_NOT_KEPT)
        if a_form:
            response = self._redirect("/ui/login?said=out", {})
        response.headers.append(*removed)
        return response

    def _redirect(self, url: str, cookies: Mapping[str, tuple[str, int]]) -> Response:
        response = Response(status_code=303, headers={"location": url, **_NOT_KEPT})
        self._set(response, cookies)
        return response

    def _set(self, response: Response, cookies: Mapping[str, tuple[str, int]]) -> None:
        for name, (value, kept_s) in cookies.items():
            header, text = set_cookie(name, value, self._identities.origin, kept_s=kept_s)
            response.headers.append(header, text)


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


def _form(raw: bytes) -> dict[str, str]:
    """Raises InvalidRequest."""
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except (ValueError, UnicodeDecodeError):
        raise InvalidRequest("the form could not be read", param="body") from None


def _page_of(target: str) -> str:
    """Where to go after a login by key: a page of `/ui`, the first one where nothing better is named."""
    plain = len(target) <= _PATH_CHARS_MAX and target.isascii() and target.isprintable()
    safe = plain and "//" not in target and "\\" not in target and " " not in target
    return target if safe and (target == FIRST or target.startswith(PAGES)) else FIRST
