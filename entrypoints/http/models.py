"""`/v1/models`: what this key may call, routes first, in the shape of the caller's family."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.list_models import ListModels
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.gemini import gemini_model, gemini_page
from entrypoints.http.guard import Door, guarded_routes
from entrypoints.http.presentation import anthropic_model, openai_model

LIMIT_MAX = 1000
GOOGLES_KEY = "x-goog-api-key"


def model_routes(door: Door, list_models: ListModels) -> list[Route]:
    """The list and one of it. Anthropic's SDKs say who they are by `anthropic-version`, Google's by the
    header their key is in."""

    async def models(request: Request, by: Principal) -> Any:
        listed = list_models(by)
        if GOOGLES_KEY in request.headers:
            query = request.query_params
            return gemini_page(listed, query.get("pageSize", ""), query.get("pageToken", ""))
        if "anthropic-version" in request.headers:
            return anthropic_page([anthropic_model(model) for model in listed], dict(request.query_params))
        return {"object": "list", "data": [openai_model(model) for model in listed]}

    async def model(request: Request, by: Principal) -> Any:
        name = request.path_params["name"]
        if GOOGLES_KEY in request.headers:
            return gemini_model(list_models.one(by, name.removeprefix("models/")))
        found = list_models.one(by, name)
        return anthropic_model(found) if "anthropic-version" in request.headers else openai_model(found)

    return guarded_routes(door, {("GET", "/v1/models"): models, ("GET", "/v1/models/{name:path}"): model})


def anthropic_page(models: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """One page as Anthropic cuts it: `limit`, and `after_id` or `before_id` of a neighbouring page.

    Without a limit everything is one page: clients that do not turn pages miss nothing then.

    Raises:
        InvalidRequest: a limit out of range, or an id that is not in the list.
    """
    limit = _limit(query.get("limit"), len(models))
    ids = [model["id"] for model in models]
    start, end = 0, len(models)
    if (after := query.get("after_id")) is not None:
        start = _place(ids, after, "after_id") + 1
    if (before := query.get("before_id")) is not None:
        end = _place(ids, before, "before_id")
    # Going back, the page is the one right before, and more lies in front of it.
    backwards = before is not None and after is None
    page = models[max(start, end - limit) : end] if backwards else models[start : min(end, start + limit)]
    more = end - limit > start if backwards else start + limit < end
    return {
        "data": page,
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _limit(text: str | None, everything: int) -> int:
    if text is None:
        return max(1, everything)
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise InvalidRequest(f"limit must be a whole number from 1 to {LIMIT_MAX}", param="limit")
    return int(text)


def _place(ids: list[str], wanted: str, name: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise InvalidRequest(f"{name}: no such model in the list", param=name) from None
