"""The pages of `/ui`: for people, with the cookie of a login; made from the other routes."""

from typing import Any, Final

from contracts.http.operations import operation, path_parameter, query_parameter
from contracts.http.words import Schema, ref, text

_PAGE: Final = {"description": "A page.", "content": {"text/html": {"schema": text()}}}
_TO_LOGIN: Final = {"description": "To the login, or back to the page after something was done."}
_REFUSED: Final = {"description": "A page that says why not.", "content": {"text/html": {"schema": text()}}}
_PLAIN: Final = {"description": "There is no such file.", "content": {"text/plain": {"schema": text()}}}
_SHOWN: Final[dict[str, Any]] = {
    "200": {
        "description": "The page; a part of it; or one of its tables, where `export` names it.",
        "content": {
            "text/html": {"schema": text()},
            "text/csv": {"schema": text()},
            "application/json": {"schema": {"type": "array"}},
        },
    },
    "303": _TO_LOGIN,
    "204": {"description": "A part was asked for, and the login is over: `hx-redirect` says where to go."},
    "400": _REFUSED,
    "403": _REFUSED,
    "404": _REFUSED,
    "409": _REFUSED,
    "413": _REFUSED,
    "422": _REFUSED,
    "429": _REFUSED,
    "503": _REFUSED,
}
_NAME: Final = path_parameter("page", "A page's name, as `overview`.")
_PART: Final = query_parameter("part", "Only this block of the page, for its live parts.", text())
_EXPORT: Final = query_parameter("export", "One of the page's tables, as a file.", text())
_AS: Final = query_parameter("as", "`csv` or `json`.", text())

UI_PATHS: Final[dict[str, Any]] = {
    "/ui": {
        "get": operation(
            "openPages", "Pages", "The first page", {"303": {"description": "To the overview."}}, public=True
        )
    },
    "/ui/login": {
        "get": operation(
            "showLogin",
            "Pages",
            "The form to log in",
            {"200": _PAGE, "303": {"description": "Already logged in."}},
            parameters=[query_parameter("to", "A page of `/ui` to go to afterwards.", text())],
            public=True,
        )
    },
    "/ui/static/{file}": {
        "get": operation(
            "readPageFile",
            "Pages",
            "A style sheet or script of the pages",
            {
                "200": {
                    "description": "The file.",
                    "content": {
                        kind: {"schema": text()}
                        for kind in ("text/css", "text/javascript", "image/svg+xml", "text/plain")
                    },
                },
                "404": _PLAIN,
            },
            parameters=[path_parameter("file", "Its name.")],
            public=True,
        )
    },
    "/ui/{page}": {
        "get": operation(
            "showPage",
            "Pages",
            "A page",
            _SHOWN,
            parameters=[_NAME, _PART, _EXPORT, _AS],
            public=True,
            description="Whoever is not logged in is sent to the login. What is shown is what the routes of "
            "the API show this person; `done` and the filters of the page may be given too.",
        )
    },
    "/ui/{page}/{item}": {
        "get": operation(
            "showPageOf",
            "Pages",
            "A page about one thing",
            _SHOWN,
            parameters=[_NAME, path_parameter("item", "An id, as of a request."), _PART, _EXPORT, _AS],
            public=True,
        ),
        "post": {
            **operation(
                "actOnPage",
                "Pages",
                "Something a page offers",
                {status: answer for status, answer in _SHOWN.items() if status != "204"},
                parameters=[_NAME, path_parameter("item", "The act's name.")],
                public=True,
                description="The form of a page, with its `csrf` field; done by a route of the API, with the "
                "rights of whoever is logged in.",
            ),
            "requestBody": {
                "required": True,
                "content": {"application/x-www-form-urlencoded": {"schema": ref("PageForm")}},
            },
        },
    },
}
UI_SCHEMAS: Final[dict[str, Schema]] = {
    "PageForm": {
        "type": "object",
        "properties": {"csrf": text("Proves that a page of this login sent it.")},
        "additionalProperties": text(),
        "description": "A form of a page: the fields of the body of the route that does it.",
        "examples": [{"csrf": "0a1B2c3D4e5F", "name": "team-month"}],
    }
}
