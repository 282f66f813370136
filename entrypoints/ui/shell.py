"""The routes of `/ui`: who looks, which page, what is done, and how it is shown."""

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from application.ports.system import Clock
from domain.errors import Forbidden, InterchangeError, InvalidRequest, RequestTooLarge
from entrypoints.http.app import ASGIApp
from entrypoints.http.asgi import CallerLeft, read_body
from entrypoints.http.login_cookies import UNATTENDED
from entrypoints.http.people import People, Person
from entrypoints.identity import Identities
from entrypoints.ui.calls import Api, Refused
from entrypoints.ui.exports import exported
from entrypoints.ui.forms import FORM_BYTES_MAX, body_of, kept_of, parse_form, path_of, query_of
from entrypoints.ui.page import Act, Ask, Page, Shown
from entrypoints.ui.pages import GROUPS, PAGES
from entrypoints.ui.rendering import environment
from entrypoints.ui.statics import file_response, has, url

log = logging.getLogger("interchange.ui")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
FIRST_PAGE: Final = "overview"
PLAIN: Final = "plain.html"
_BY_NAME: Final = {page.name: page for page in PAGES}


class Ui:
    """All pages. `app` answers the routes of the API."""

    def __init__(
        self, people: People, app: ASGIApp, identities: Identities, clock: Clock, version: str
    ) -> None:
        self._people = people
        self._app = app
        self._identities = identities
        self._clock = clock
        self._version = version

    def routes(self) -> list[Route]:
        """The routes; what a page shows is asked of the API with the rights of who looks."""
        return [
            Route("/ui", self.first, methods=["GET"]),
            Route("/ui/login", self.login, methods=["GET"]),
            Route("/ui/static/{file:path}", self.static, methods=["GET"]),
            Route("/ui/{page}", self.look, methods=["GET"]),
            Route("/ui/{page}/{item:path}", self.look, methods=["GET"]),
            Route("/ui/{page}/{item:path}", self.act, methods=["POST"]),
        ]

    async def first(self, _: Request) -> Response:
        """Where people begin."""
        return RedirectResponse(f"/ui/{FIRST_PAGE}", 303, headers=_HEADERS)

    async def static(self, request: Request) -> Response:
        """A file."""
        return file_response(request.path_params["file"], request.query_params.get("v"))

    async def login(self, request: Request) -> Response:
        """Asks for a key, or sends people to their identity provider."""
        if await self._people.known(request.scope) is not None:
            return RedirectResponse(_back(request.query_params.get("to")), 303, headers=_HEADERS)
        context = {
            "to": _back(request.query_params.get("to")),
            "oidc": self._identities.log_in.possible,
            "problem": _SAID.get(request.query_params.get("said", ""), ""),
        }
        return self._page(None, None, "login.html", context)

    async def look(self, request: Request) -> Response:
        """A page, a part of it, or one of its tables as a file. Parts are what pages fetch by themselves."""
        request.scope[UNATTENDED] = bool(request.query_params.get("part"))
        person = await self._people.known(request.scope)
        if person is None:
            return self._to_login(request)
        page = _BY_NAME.get(request.path_params["page"])
        if page is None:
            return self._problem(person, 404, "There is no such page.")
        if page.permission and not person.principal.may(page.permission):
            return self._problem(person, 403, f"Your role may not see this page (needs {page.permission}).")
        ask = self._ask(request, person)
        try:
            seen = await page.view(ask)
        except Refused as refused:
            if refused.status == 401:
                return self._to_login(request)
            return self._problem(person, refused.status, refused.message, page)
        wanted = request.query_params.get("export")
        if wanted:
            table = next((table for table in seen.tables if table.name == wanted), None)
            if table is None:
                return self._problem(person, 404, "There is no such table.", page)
            return exported(table, "json" if request.query_params.get("as") == "json" else "csv")
        return self._shown(page, person, ask, seen)

    async def act(self, request: Request) -> Response:
        """Does something by the API, then shows the page again."""
        try:
            content = await _content(request)
        except InterchangeError as error:
            status = 413 if isinstance(error, RequestTooLarge) else 400
            return self._problem(None, status, str(error))
        person = await self._people.known(request.scope)
        if person is None:
            return self._to_login(request)
        page = _BY_NAME.get(request.path_params["page"])
        act = None if page is None else page.act(request.path_params["item"])
        if page is None or act is None:
            return self._problem(person, 404, "There is no such act.")
        form: dict[str, str] = {}
        try:
            form = parse_form(content)
            await self._people.check_form(request.scope, form)
            path, _, query = path_of(act, form).partition("?")
            answer = await self._ask(request, person).api.send(
                act.method,
                path,
                body_of(act, form),
                query="&".join(filter(None, (query, query_of(act, form)))),
                timeout_s=act.timeout_s,
            )
        except InterchangeError as error:
            status = 403 if isinstance(error, Forbidden) else 400
            return await self._again(
                request, person, page, act, form, Refused(status, "", str(error), error.param)
            )
        except Refused as refused:
            if refused.status == 401:
                return self._to_login(request)
            return await self._again(request, person, page, act, form, refused)
        if act.shows_once or act.stays:
            return await self._again(request, person, page, act, form, None, answer)
        item = form.get("_item", "")
        target = f"/ui/{page.name}" + (f"/{quote(item, safe='')}" if item else "")
        return RedirectResponse(
            f"{target}?{urlencode({**kept_of(act, form), 'done': act.name})}", 303, headers=_HEADERS
        )

    # Showing

    def _ask(self, request: Request, person: Person) -> Ask:
        return Ask(
            api=Api(self._app, request.scope, person),
            person=person,
            query=dict(request.query_params),
            now=self._clock.utc_now(),
            item=request.path_params.get("item", "") if request.method == "GET" else "",
        )

    async def _again(
        self,
        request: Request,
        person: Person,
        page: Page,
        act: Act,
        form: Mapping[str, str],
        refused: Refused | None,
        answer: Any = None,
    ) -> Response:
        """The page with what came of an act: its form with what is wrong in it, or what is shown once."""
        ask = self._ask(request, person)
        ask.item = form.get("_item", "")
        ask.query = {**ask.query, **kept_of(act, form)}
        if answer is not None:
            ask.did, ask.answer = act.name, answer
        try:
            seen = await page.view(ask)
        except Refused as failed:
            return self._problem(person, failed.status, failed.message, page)
        came = {
            "act": act.name,
            "form": {name: value for name, value in form.items() if name != "csrf"},
            "refused": refused,
            "answer": answer,
        }
        return self._shown(page, person, ask, seen, came, 200 if refused is None else refused.status)

    def _shown(
        self,
        page: Page,
        person: Person,
        ask: Ask,
        seen: Shown,
        came: Mapping[str, Any] | None = None,
        status: int = 200,
    ) -> Response:
        done = page.act(ask.query.get("done", ""))
        context = {
            "ask": ask,
            "seen": seen,
            "tables": {table.name: table for table in seen.tables},
            "charts": {chart.name: chart for chart in seen.charts},
            "acts": {
                act.name: act
                for act in page.acts
                if (act.asks or not seen.read_only) and person.principal.may(act.permission)
            },
            "came": came or {"act": "", "form": {}, "refused": None, "answer": None},
            "done": "" if done is None else done.done,
            **seen.context,
        }
        return self._page(
            person, page, seen.template or page.template, context, status, part=ask.query.get("part", "")
        )

    def _page(
        self,
        person: Person | None,
        page: Page | None,
        template: str,
        context: Mapping[str, Any],
        status: int = 200,
        *,
        part: str = "",
    ) -> Response:
        whole = {
            "person": person,
            "page": page,
            "navigation": _navigation(person),
            "url": url,
            "libraries": has("vendor/htmx.min.js"),
            "version": self._version,
            **context,
        }
        made = environment().get_template(template)
        if part and part not in made.blocks:  # what it takes over from the plain one is known there only
            made = environment().get_template(PLAIN)
        if part and part in made.blocks:
            # What the page's head imports is not there when one block is made alone.
            parts = environment().get_template("parts.html").module
            html = "".join(made.blocks[part](made.new_context({**whole, "parts": parts})))
        else:
            html = environment().get_template(template).render(whole)
        return HTMLResponse(html, status, headers=_HEADERS)

    def _problem(
        self, person: Person | None, status: int, message: str, page: Page | None = None
    ) -> Response:
        return self._page(person, page, "problem.html", {"status": status, "message": message}, status)

    def _to_login(self, request: Request) -> Response:
        """Where to log in, and back here; parts of pages tell the script to go there."""
        asked = urlencode([pair for pair in request.query_params.multi_items() if pair[0] != "part"])
        back = request.url.path + (f"?{asked}" if asked else "")
        target = "/ui/login?" + urlencode({"to": back if request.method == "GET" else f"/ui/{FIRST_PAGE}"})
        if request.query_params.get("part"):
            return Response(status_code=204, headers={**_HEADERS, "hx-redirect": target})
        return RedirectResponse(target, 303, headers=_HEADERS)


_SAID: Final = {
    "refused": "This key lets nobody in: check it, and that it is neither expired nor revoked.",
    "over": "You were logged out. Log in again.",
    "out": "You are logged out.",
}


def _back(text: str | None) -> str:
    """A page of ours to go back to."""
    plain = text or ""
    if plain.startswith("/ui/") and "//" not in plain and "\\" not in plain and plain.isprintable():
        return plain[:500]
    return f"/ui/{FIRST_PAGE}"


def _navigation(person: Person | None) -> list[tuple[str, list[Page]]]:
    if person is None:
        return []
    found = []
    for group in GROUPS:
        theirs = [
            page
            for page in PAGES
            if page.group == group
            and not page.hidden
            and (not page.permission or person.principal.may(page.permission))
        ]
        if theirs:
            found.append((group, theirs))
    return found


async def _content(request: Request) -> bytes:
    """A form's bytes. Raises InvalidRequest, RequestTooLarge."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        content = await read_body(request.receive, dict(request.scope["headers"]), FORM_BYTES_MAX)
    except CallerLeft:
        raise InvalidRequest("the form ended before it was complete", param="body") from None
    if kind != "application/x-www-form-urlencoded":
        raise InvalidRequest("a form of this page is sent as application/x-www-form-urlencoded", param="body")
    return content
