"""What happened, the newest first, with what was told of it."""

from typing import Any, Final
from urllib.parse import urlencode

from entrypoints.ui.page import Ask, Column, Field, Page, Shown, Table

LIMIT: Final = 100
FILTERS: Final = (
    Field("types", "Types", hint="key.*, cost.*"),
    Field("from", "From (UTC)", hint="2026-03-01T00:00Z"),
    Field("to", "To (UTC)"),
)
_TAKEN_BY: Final = ("agent_id", "key_id", "integration_id", "budget_id", "provider", "route", "name", "id")


async def view(ask: Ask) -> Shown:
    """Those that fit the filters, or one of them by its place."""
    if ask.item:
        return await _one(ask)
    said = {field.name: ask.query.get(field.name, "") for field in FILTERS}
    answer = await ask.api.get(
        "/api/v1/events",
        limit=LIMIT,
        before=ask.query.get("before"),
        types=said["types"],
        from_=said["from"],
        to=said["to"],
    )
    more = ""
    if answer["next"]:
        kept = {name: value for name, value in said.items() if value}
        more = "?" + urlencode({**kept, "before": answer["next"]})
    return Shown(
        context={"filters": FILTERS},
        tables=(
            Table(
                name="events",
                title="Events",
                more=more,
                columns=(
                    Column("timestamp", "When", "when", "/ui/events/{seq}"),
                    Column("type", "Type", "code"),
                    Column("about", "About"),
                    Column("seq", "Place", "number", wide=True),
                    Column("id", "Event", "code", wide=True),
                ),
                rows=[{**each, "about": about(each["data"])} for each in answer["events"]],
                empty="Nothing fits the filters."
                if any(said.values())
                else "Nothing happened yet that is told: keys made, budgets reached, integrations that fail. "
                "Send events on with a webhook, or follow them: interchange events follow.",
            ),
        ),
    )


def about(data: dict[str, Any]) -> str:
    """Few words of what an event is about: names it holds, else its first plain values."""
    named = {name: data[name] for name in _TAKEN_BY if data.get(name)}
    plain = named or {
        name: value
        for name, value in data.items()
        if name != "timestamp" and value not in (None, "") and not isinstance(value, (dict, list))
    }
    return ", ".join(f"{name} {str(value)[:60]}" for name, value in list(plain.items())[:3])


async def _one(ask: Ask) -> Shown:
    place = int(ask.item) if ask.item.isascii() and ask.item.isdigit() and len(ask.item) < 19 else 0
    answer = await ask.api.get("/api/v1/events", after=max(0, place - 1), limit=1)
    found = next((each for each in answer["events"] if each["seq"] == place), None)
    if found is None:
        return Shown(
            problems=[f"There is no event at place {ask.item[:20]}: it was of another tenant, or is old."]
        )
    return Shown(
        title=found["type"],
        template="detail.html",
        context={
            "back": ("/ui/events", "All events"),
            "facts": (
                (
                    "Event",
                    [
                        ("When", found["timestamp"], "when"),
                        ("Place", found["seq"], "number"),
                        ("Id", found["id"], "code"),
                        ("Tenant", found["tenant_id"], "code"),
                    ],
                ),
            ),
            "texts": (("Data", found["data"]),),
        },
    )


PAGE: Final = Page(
    name="events",
    title="Events",
    group="Outside",
    permission="events.read",
    view=view,
    about="What happened, and what was told of it to those who listen.",
)
