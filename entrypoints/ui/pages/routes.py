"""Which names callers may ask for, and what each leads to."""

from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import origin, reason
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages import backtest_act

EXAMPLE: Final[dict[str, Any]] = {
    "strategy": "cost",
    "targets": ["openai/gpt-5-mini", {"target": "anthropic/claude-haiku-4-5", "weight": 2}],
    "retries": 1,
}
_PATH: Final = "/api/v1/routes"


async def view(ask: Ask) -> Shown:
    """All routes, or one of them."""
    if ask.item:
        return await _one(ask)
    answer = await ask.api.get(_PATH)
    used = await ask.tried("/api/v1/usage", group_by="route", from_=ask.ago(hours=24))
    requests = {row["route"]: row["requests"] for row in used.get("rows", [])}
    rows = [{**route_row(each), "requests": requests.get(each["name"], 0)} for each in answer["routes"]]
    return Shown(
        context={
            "row_acts": ("remove", "change", "backtest"),
            "values": {"make": {"*": await _example(ask)}},
            "note": "Routes of the file are changed in the file; those made here or by the API, here."
            if any(row["owner"] == "file" for row in rows)
            else "",
        },
        tables=(
            Table(
                name="routes",
                title="Routes",
                columns=(
                    Column("name", "Route", "code", "/ui/routes/{name}"),
                    Column("strategy", "Chooses by"),
                    Column("targets", "Targets"),
                    Column("cache_mode", "Cache", "state"),
                    Column("requests", "Requests, 24 h", "number"),
                    Column("in_use", "Usable", "flag"),
                    Column("from", "From"),
                    Column("try", "Explain", link="/ui/playground?model={name}"),
                ),
                rows=rows,
                acts=("remove",),
                empty="There are no routes: callers ask for models by their names, or for auto. Make one "
                "above, or declare it under routes: in the configuration file.",
            ),
        ),
    )


async def _example(ask: Ask) -> dict[str, Any]:
    """A route that would work here: of the first two targets there are."""
    status = await ask.tried("/api/v1/providers/status")
    targets = [each["targets"][0]["id"] for each in status.get("providers", []) if each["targets"]]
    if not targets:
        return EXAMPLE
    first, *others = targets
    return {**EXAMPLE, "targets": [first, *({"target": name, "weight": 2} for name in others[:1])]}


def route_row(each: dict[str, Any]) -> dict[str, Any]:
    """One route as a line: targets with their weights, the cache's mode."""
    route = each["route"]
    cache = route.get("cache")
    return {
        **each,
        "strategy": route.get("strategy") or "default",
        "targets": ", ".join(target_words(one) for one in route.get("targets", [])),
        "cache_mode": cache.get("mode") if isinstance(cache, dict) else cache,
        "from": origin(each),
        "try": "explain",
        "acts_offered": [] if each["owner"] == "file" else ["remove"],
    }


def target_words(target: Any) -> str:
    """A target with what is said of it beside its name."""
    if not isinstance(target, dict):
        return str(target)
    more = {name: value for name, value in target.items() if name != "target"}
    told = ", ".join(f"{name} {value}" for name, value in more.items())
    return f"{target.get('target')} ({told})" if told else str(target.get("target"))


async def _one(ask: Ask) -> Shown:
    found = await ask.api.get(f"{_PATH}/{quote(ask.item, safe='')}")
    row = route_row(found)
    theirs = found["owner"] == "file"
    targets = [one if isinstance(one, dict) else {"target": one} for one in found["route"].get("targets", [])]
    shown = Shown(
        title=f"Route {found['name']}",
        template="detail.html",
        read_only=reason(found, "route"),
        context={
            "back": ("/ui/routes", "All routes"),
            "row_acts": ("make", "remove"),
            "buttons": () if theirs else ("remove",),
            "row": {"name": found["name"]},
            "values": {
                "change": {"name": found["name"], "*": found["route"]},
                "backtest": backtest_act.values(found["name"], found["route"]),
            },
            "texts": (("As it is", found["route"]),),
        },
        stats=(
            Stat("Chooses by", row["strategy"], "text"),
            Stat("Targets", len(targets), "number", "" if found["in_use"] else "none of them exists now"),
            Stat("Cache", row["cache_mode"], "state"),
            Stat("From", row["from"], "text"),
            Stat("Changed", found["updated_at"], "when"),
            Stat(
                "What would it do?",
                "explain",
                "text",
                link="/ui/playground?model=" + quote(found["name"], safe=""),
            ),
        ),
        tables=(
            Table(
                name="targets",
                title="Targets",
                columns=(
                    Column("target", "Target", "code"),
                    Column("weight", "Weight", "number"),
                    Column("via", "Way"),
                    Column("residency", "Residency", wide=True),
                ),
                rows=targets,
                empty="It has no targets.",
            ),
        ),
    )
    if ask.did == backtest_act.ACT.name and isinstance(ask.answer, dict):
        backtest_act.tell(shown, ask.answer)
    return shown


_ROUTE: Final = Field(
    "*",
    "Route",
    "json",
    "As in the file's routes section; interchange config schema prints its keys.",
    required=True,
)
PAGE: Final = Page(
    name="routes",
    title="Routes",
    group="Models",
    permission="config.read",
    view=view,
    about="Which names callers may ask for, what each leads to, and how it chooses.",
    acts=(
        Act(
            name="make",
            title="Make a route",
            method="PUT",
            path=_PATH + "/{name}",
            permission="config.write",
            done="The route is in force on every instance within seconds.",
            fields=(Field("name", "Name", hint="What callers send as model.", required=True), _ROUTE),
        ),
        Act(
            name="change",
            title="Change it",
            method="PUT",
            path=_PATH + "/{name}",
            permission="config.write",
            done="The route is changed.",
            fields=(Field("name", "Name", "hidden"), _ROUTE),
        ),
        Act(
            name="remove",
            title="Remove",
            method="DELETE",
            path=_PATH + "/{name}",
            permission="config.write",
            danger=True,
            leaves=True,
            done="The route is gone.",
            fields=(Field("name", "Name", "hidden"),),
        ),
        backtest_act.ACT,
    ),
)
