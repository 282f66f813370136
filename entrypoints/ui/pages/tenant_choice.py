"""Pages about one tenant's things, for people who manage tenants: which tenant's."""

from typing import Final
from urllib.parse import quote

from entrypoints.ui.page import Ask, Field

NAME: Final = "tenant_id"
MANAGES: Final = "tenants.manage"
ALONG: Final = Field(NAME, "Tenant", "query")
"""Of every act on such a page: it is done in the tenant that the page shows."""


def asked(ask: Ask) -> str:
    """The tenant that was asked for; empty: the person's own. Who may see it the API decides."""
    return ask.query.get(NAME, "")


async def choices(ask: Ask) -> tuple[Field, ...]:
    """A filter by tenant; none for people who see one only."""
    if not ask.may(MANAGES):
        return ()
    found = await ask.tried("/api/v1/tenants")
    own = ask.person.principal.tenant_id
    known = {each[NAME] for each in found.get("tenants", [])} | {own, asked(ask) or own}
    return (Field(NAME, "Tenant", "choice", required=True, choices=sorted(known), default=own),)


def hidden(ask: Ask) -> tuple[Field, ...]:
    """The same for filters of a page that shows one thing: it stays the tenant's."""
    return (Field(NAME, "Tenant", "hidden"),) if asked(ask) else ()


def within(link: str, ask: Ask) -> str:
    """A link to a page about the same tenant."""
    return f"{link}?{NAME}={quote(asked(ask), safe='')}" if asked(ask) else link


def titled(title: str, ask: Ask) -> str:
    """A page's title that says whose things they are, where they are another tenant's; else empty."""
    return f"{title} of {asked(ask)}" if asked(ask) not in ("", ask.person.principal.tenant_id) else ""
