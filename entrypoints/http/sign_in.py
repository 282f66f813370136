"""`/auth`: logging in by the identity provider, who one is, and logging out."""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from application.audit_trail import Surroundings
from application.use_cases.log_in import LASTS_S, CameBack
from domain.errors import Forbidden, InterchangeError, InvalidRequest, NotFound, Unauthenticated
from domain.tenancy.principal import Principal
from domain.tenancy.session import csrf_token
from entrypoints.http.addresses import client_address
from entrypoints.http.guard import Door, guarded_routes, only_parameters
from entrypoints.http.login_cookies import PENDING, SESSION, cookie, set_cookie
from entrypoints.identity import Identities

_LOCAL_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~=&%-]*)?")
"""Where to go after a login: a path here, and nothing a browser could take for another server."""
_PATH_CHARS_MAX: Final = 500
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
            ("POST", "/auth/logout"): pages.log_out,
        },
    )


class _Pages:
    def __init__(self, door: Door, identities: Identities) -> None:
        self._door = door
        self._identities = identities

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
            "expires_at": None,
            "csrf_token": None,
        }
        if by.kind == "session":
            secret = self._secret(request)
            session = await self._identities.sessions.session(secret)
            told |= {"expires_at": session.ends_at.isoformat(), "csrf_token": csrf_token(secret)}
        return {"data": told}

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
        await self._identities.sessions.end(self._secret(request))
        response = Response(status_code=204, headers=_NOT_KEPT)
        self._set(response, {SESSION: ("", 0)})
        return response

    def _secret(self, request: Request) -> str:
        return cookie(dict(request.scope["headers"]), SESSION, self._identities.origin)

    def _redirect(self, url: str, cookies: Mapping[str, tuple[str, int]]) -> Response:
        response = Response(status_code=303, headers={"location": url, **_NOT_KEPT})
        self._set(response, cookies)
        return response

    def _set(self, response: Response, cookies: Mapping[str, tuple[str, int]]) -> None:
        for name, (value, kept_s) in cookies.items():
            header, text = set_cookie(name, value, self._identities.origin, kept_s=kept_s)
            response.headers.append(header, text)
