"""The description of our routes: `/openapi.json`, a page to read it, and a first page."""

from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from contracts.http.openapi import openapi_document
from entrypoints.http.security_headers import PAGE_HEADERS

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Interchange</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color-scheme:light dark}}code{{font-family:ui-monospace,monospace}}
table{{border-collapse:collapse;width:100%}}
td,th{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8884;vertical-align:top}}</style>
<h1>Interchange</h1>{body}</html>"""


def documentation_routes() -> list[Route]:
    """Public: they describe the software, nobody's data."""

    async def openapi(request: Request) -> Response:
        return Response(_document(), media_type="application/json")

    async def docs(request: Request) -> Response:
        return HTMLResponse(_reference(), headers=PAGE_HEADERS)

    async def first_page(request: Request) -> Response:
        body = (
            "<p>This is the integration layer for your agents. Point an SDK at <code>/v1</code> with a key "
            "of this installation.</p><ul><li><a href='/ui'>Pages: what happens, and why</a></li>"
            "<li><a href='/docs'>Routes</a></li><li><a href='/health'>Health</a>"
            "</li><li><a href='/openapi.json'>OpenAPI document</a></li></ul>"
        )
        return HTMLResponse(_PAGE.format(body=body), headers=PAGE_HEADERS)

    return [Route("/openapi.json", openapi), Route("/docs", docs), Route("/", first_page)]


# Made when somebody asks, not by every start.


@cache
def _document() -> bytes:
    return bytes(JSONResponse(openapi_document()).body)


@cache
def _reference() -> str:
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{path}</code></td>"
        f"<td>{operation.get('summary', '')}</td></tr>"
        for path, operations in openapi_document()["paths"].items()
        for method, operation in operations.items()
    )
    table = f"<table><tr><th>Method</th><th>Path</th><th>What it does</th></tr>{rows}</table>"
    return _PAGE.format(body=f"<h2>Routes</h2>{table}")
