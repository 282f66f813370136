"""Lists in pages, as OpenAI's clients ask for them."""

from typing import NamedTuple

from starlette.requests import Request

from domain.errors import InvalidRequest

AFTER_CHARS_MAX = 200


class Page(NamedTuple):
    """At most `limit` entries behind the one with the id `after`."""

    after: str | None
    limit: int


def read_page(request: Request, *, limit_default: int, limit_max: int) -> Page:
    """`after` and `limit` of the query. Raises InvalidRequest."""
    after = request.query_params.get("after")
    if after is not None and len(after) > AFTER_CHARS_MAX:
        raise InvalidRequest("after must be an id of the list", param="after")
    text = request.query_params.get("limit", str(limit_default))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= limit <= limit_max:
        raise InvalidRequest(f"limit must be a whole number from 1 to {limit_max}", param="limit")
    return Page(after, limit)
