"""Who answers: how providers are doing, where they are, and an operator's hand on them."""

from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table

HOURS: Final = 24
NOWHERE: Final = "not known"
STATES: Final = ("auto", "healthy", "degraded", "unhealthy", "unavailable", "maintenance")
WEST_TO_EAST: Final = ("us-west", "us-east", "eu-west", "eu-central", "apac", "global")
ROW_ACTS: Final = ("maintenance", "auto", "reset")
_STATUS: Final = "/api/v1/providers/status"


async def view(ask: Ask) -> Shown:
    """All providers, or one of them."""
    status = await ask.api.get(_STATUS)
    spent = await ask.tried("/api/v1/usage", group_by="provider", from_=ask.ago(hours=HOURS))
    used = {row["provider"]: row for row in spent.get("rows", [])}
    rows = [provider_row(each, used.get(each["provider"])) for each in status["providers"]]
    if ask.item:
        return _one(ask, rows)
    config = await ask.tried("/api/v1/config") if ask.may("config.read") else None
    residency = (config.get("settings", {}) if config else {}).get("residency") or {}
    return Shown(
        template="providers.html",
        context={"live": "5s", "row_acts": _NAMES, "places": places(rows, residency)},
        stats=_stats(rows),
        tables=(_table(rows), regions_table(rows, residency)),
        problems=[spent.problem] if spent.problem else [],
    )


def provider_row(each: dict[str, Any], used: dict[str, Any] | None) -> dict[str, Any]:
    """One provider with what it was used for in the last hours."""
    p95 = [target["latency_p95_ms"] for target in each["targets"] if target["latency_p95_ms"] is not None]
    regions = {target["region"] or NOWHERE for target in each["targets"]}
    keys = each["keys"]
    usable = sum(1 for key in keys if key["state"] == "ready")
    requests = used["requests"] if used else 0
    return {
        **{name: value for name, value in each.items() if name not in ("state", "targets", "keys")},
        "name": each["provider"],
        "health": each["state"],
        "p95_ms": max(p95) if p95 else None,
        "in_flight": sum(target["in_flight"] for target in each["targets"]),
        "regions": ", ".join(sorted(regions)),
        "region_set": regions,
        "target_rows": [
            {**target, "back_after_s": target["back_after_s"] or None} for target in each["targets"]
        ],
        "key_rows": [{**key, "back_after_s": key["back_after_s"] or None} for key in keys],
        "keys_usable": f"{usable} of {len(keys)}" if keys else None,
        "requests": requests,
        "cost_usd": used["cost_nano_usd"] / 1e9 if used else None,
        "acts_offered": ["reset", "auto" if each["forced"] else "maintenance"],
    }


def _stats(rows: list[dict[str, Any]]) -> list[Stat]:
    usable = sum(1 for row in rows if row["usable"])
    open_ = sum(1 for row in rows for target in row["target_rows"] if target["breaker"] != "closed")
    forced = sum(1 for row in rows if row["forced"])
    return [
        Stat("Usable", f"{usable} of {len(rows)}", "text", state="" if usable == len(rows) else "bad"),
        Stat("Breakers not closed", open_, "number", "of targets", "warn" if open_ else ""),
        Stat("Held by hand", forced, "number", state="warn" if forced else ""),
        Stat("In flight", sum(row["in_flight"] for row in rows)),
        Stat(f"Requests, {HOURS} h", sum(row["requests"] for row in rows)),
    ]


def _table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="providers",
        title="Providers",
        columns=(
            Column("name", "Provider", link="/ui/providers/{name}"),
            Column("health", "Health", "state"),
            Column("breaker", "Breaker", "state"),
            Column("success_rate", "Success, 5 min", "share"),
            Column("latency_ms", "Mean", "ms"),
            Column("p95_ms", "p95", "ms", wide=True),
            Column("keys_usable", "Keys", wide=True),
            Column("requests", f"Requests, {HOURS} h", "number"),
            Column("cost_usd", f"Cost, {HOURS} h", "usd"),
        ),
        rows=rows,
        acts=ROW_ACTS,
        empty="No provider is configured. Put a provider's key into the environment (OPENAI_API_KEY, "
        "ANTHROPIC_API_KEY, and so on), or declare one under providers: in the configuration file.",
    )


def places(rows: list[dict[str, Any]], residency: dict[str, Any]) -> list[dict[str, Any]]:
    """Regions from west to east, own ones behind them, each with who is there; unknown places last."""
    known = {region for row in rows for region in row["region_set"]}
    home = residency.get("home")
    if home:
        known.add(home)
    order = [name for name in WEST_TO_EAST if name in known]
    order += sorted(known - set(order) - {NOWHERE})
    order += [NOWHERE] if NOWHERE in known else []
    groups: dict[str, Any] = residency.get("groups") or {}
    return [
        {
            "name": region,
            "home": region == home,
            "groups": sorted(name for name, members in groups.items() if region in members),
            "providers": [
                {
                    "name": row["name"],
                    "health": row["health"] if row["usable"] or row["forced"] else "unavailable",
                    "targets": sum(
                        1 for target in row["target_rows"] if (target["region"] or NOWHERE) == region
                    ),
                }
                for row in rows
                if region in row["region_set"]
            ],
            "stores": [name for name in ("database", "redis", "gateways") if residency.get(name) == region],
        }
        for region in order
    ]


def regions_table(rows: list[dict[str, Any]], residency: dict[str, Any]) -> Table:
    """Where requests can be answered, and which demands each place meets."""
    found = []
    for place in places(rows, residency):
        there = place["providers"]
        meets = [] if place["name"] == NOWHERE else [place["name"], *place["groups"]]
        found.append(
            {
                "region": place["name"],
                "providers": ", ".join(each["name"] for each in there),
                "targets": sum(each["targets"] for each in there),
                "meets": ", ".join(meets) or "none: what is not known to be inside is outside",
                "ours": ", ".join((["this installation"] if place["home"] else []) + place["stores"]),
            }
        )
    return Table(
        name="regions",
        title="Where they are",
        columns=(
            Column("region", "Region"),
            Column("providers", "Providers"),
            Column("targets", "Targets", "number"),
            Column("meets", "Residencies it meets"),
            Column("ours", "Of ours", wide=True),
        ),
        rows=found,
        empty="No provider is configured. Give each its region under providers:, so that demands for a "
        "residency can be met (docs/residency.md).",
    )


def _one(ask: Ask, rows: list[dict[str, Any]]) -> Shown:
    row = next((each for each in rows if each["name"] == ask.item), None)
    if row is None:
        return Shown(
            problems=[f"There is no provider {ask.item[:80]!r}, or it is not yours to see."],
            context={"row_acts": _NAMES, "back": ("/ui/providers", "All providers")},
        )
    link = "/ui/requests?provider=" + quote(row["name"], safe="")
    return Shown(
        title=row["name"],
        context={
            "live": "5s",
            "back": ("/ui/providers", "All providers"),
            "row_acts": ROW_ACTS,
            "values": {"state": {"name": row["name"]}, "breaker": {"name": row["name"]}},
        },
        stats=(
            Stat("Health", row["health"], "state", f"held by hand: {row['forced']}" if row["forced"] else ""),
            Stat("Success, 5 min", row["success_rate"], "share", f"of {row['samples']:,} calls"),
            Stat("Mean latency", row["latency_ms"], "ms"),
            Stat("Failed in a row", row["consecutive_failures"]),
            Stat("Available, 5 min", row["availability"], "percent"),
            Stat(f"Requests, {HOURS} h", row["requests"], link=link),
            Stat(f"Cost, {HOURS} h", row["cost_usd"], "usd"),
        ),
        tables=(
            Table(
                name="targets",
                title="Targets",
                columns=(
                    Column("id", "Target", "code"),
                    Column("breaker", "Breaker", "state"),
                    Column("back_after_s", "Tried again in", "s"),
                    Column("latency_p95_ms", "p95", "ms"),
                    Column("first_token_ms", "First token", "ms"),
                    Column("in_flight", "In flight", "number"),
                    Column("region", "Region", wide=True),
                ),
                rows=row["target_rows"],
                empty="It has no models: declare some under its models:.",
            ),
            Table(
                name="keys",
                title="Keys of the pool",
                columns=(
                    Column("id", "Key", "code"),
                    Column("state", "State", "state"),
                    Column("headroom", "Left of its limits", "share"),
                    Column("back_after_s", "Back in", "s"),
                    Column("success_rate", "Success", "share"),
                    Column("in_flight", "In flight", "number"),
                    Column("requests_last_minute", "Requests, 1 min", "number"),
                    Column("tokens_last_minute", "Tokens, 1 min", "number"),
                ),
                rows=row["key_rows"],
                empty="It has one key without declared limits. Several are taken in turn: list them under "
                "keys: of the provider (docs/providers.md).",
            ),
        ),
    )


def _state(name: str, title: str, *, state: str, done: str) -> Act:
    return Act(
        name=name,
        title=title,
        method="PUT",
        path="/api/v1/providers/{name}/state",
        permission="providers.write",
        done=done,
        fields=(Field("name", "Provider", "hidden"), Field("state", "State", "hidden", default=state)),
    )


_ACTS: Final = (
    _state("maintenance", "Maintenance", state="maintenance", done="In maintenance: nothing goes there."),
    _state("auto", "Release", state="auto", done="It is judged by its traffic again."),
    Act(
        name="reset",
        title="Reset breakers",
        method="PUT",
        path="/api/v1/providers/{name}/breaker",
        permission="providers.write",
        done="Its breakers are closed, and what they counted is forgotten.",
        fields=(Field("name", "Provider", "hidden"), Field("action", "Action", "hidden", default="reset")),
    ),
    Act(
        name="state",
        title="Hold a state",
        method="PUT",
        path="/api/v1/providers/{name}/state",
        permission="providers.write",
        done="Done. On this instance, until it is released or restarted.",
        fields=(
            Field("name", "Provider", "hidden"),
            Field(
                "state",
                "State",
                "choice",
                "auto: judged by its traffic. In maintenance and unavailable nothing goes there.",
                required=True,
                choices=STATES,
            ),
        ),
    ),
    Act(
        name="breaker",
        title="Steer its breakers",
        method="PUT",
        path="/api/v1/providers/{name}/breaker",
        permission="providers.write",
        done="Done, for all its targets on this instance.",
        fields=(
            Field("name", "Provider", "hidden"),
            Field(
                "action",
                "Breakers",
                "choice",
                "open: nothing goes there; close: everything does; reset: judged by traffic again.",
                required=True,
                choices=("open", "close", "reset"),
            ),
        ),
    ),
)
_NAMES: Final = tuple(act.name for act in _ACTS)
PAGE: Final = Page(
    name="providers",
    title="Providers",
    group="Models",
    permission="providers.read",
    view=view,
    about="Who answers: health, breakers and latency from live traffic, and where each of them is.",
    acts=_ACTS,
)
