"""What is reached besides models: how it is doing, what it can do, and who accepted that."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import hidden, origin, reason
from entrypoints.ui.page import Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages import tenant_choice as tenants
from entrypoints.ui.pages.integration_acts import ACTS, EXAMPLES, NAMES, ROOT, TYPES

LIMIT: Final = 500
_PATHS: Final = {
    "database": "databases.md",
    "api": "rest.md",
    "storage": "object-storage.md",
    "mcp": "mcp.md",
}


async def view(ask: Ask) -> Shown:
    """All of them, one of them (`<integration>`), or one of its tools (`<integration>/<tool>`)."""
    integration_id, _, tool_name = ask.item.partition("/")
    if tool_name:
        return await _tool(ask, integration_id, tool_name)
    return await (_one(ask, integration_id) if integration_id else _all(ask))


async def _all(ask: Ask) -> Shown:
    answer = await ask.api.get(ROOT, limit=LIMIT, type=ask.query.get("type"), tenant_id=tenants.asked(ask))
    rows = [{**each, "from": origin(each), "acts_offered": _offered(each)} for each in answer["integrations"]]
    example = ask.query.get("example", "")
    chosen = example if example in EXAMPLES else "database"
    return Shown(
        title=tenants.titled("Integrations", ask),
        template="integrations.html",
        context={
            "row_acts": hidden(("create",), NAMES),
            "open": "create" if example else "",
            "examples": tuple(EXAMPLES),
            "filters": (Field("type", "Type", "choice", choices=TYPES), *await tenants.choices(ask)),
            "values": {"create": {"type": chosen, "configuration": EXAMPLES[chosen]}},
        },
        stats=_stats(rows),
        tables=(
            Table(
                name="integrations",
                title="Integrations",
                columns=(
                    Column(
                        "integration_id",
                        "Integration",
                        link=tenants.within("/ui/integrations/{integration_id}", ask),
                    ),
                    Column("type", "Type"),
                    Column("status", "State", "state"),
                    Column("health", "Health", "state"),
                    Column("last_check.latency_ms", "Latency", "ms"),
                    Column("breaker", "Breaker", "state"),
                    Column("last_check.checked_at", "Looked at", "when", wide=True),
                    Column("configuration.endpoint", "Endpoint", "code", wide=True),
                    Column("from", "From", wide=True),
                ),
                rows=rows,
                acts=("test", "enable", "disable"),
                empty="Nothing is connected yet. Make an integration above, declare one under "
                "integrations: in the configuration file, or import an API by "
                "interchange integrations import-openapi.",
            ),
        ),
    )


def _stats(rows: list[dict[str, Any]]) -> list[Stat]:
    well = sum(1 for row in rows if row["health"] == "healthy")
    ill = sum(1 for row in rows if row["health"] in ("degraded", "unhealthy"))
    paused = sum(1 for row in rows if row["status"] != "active")
    return [
        Stat("Integrations", len(rows)),
        Stat("Healthy", well, state="good" if well and not ill else ""),
        Stat("Degraded or unhealthy", ill, state="bad" if ill else ""),
        Stat("Paused", paused, state="warn" if paused else ""),
    ] if rows else []  # fmt: skip


def _offered(row: Mapping[str, Any]) -> list[str]:
    """What makes sense for one: tests always, changes of its state where the API has it."""
    if row["owner"] == "file":
        return ["test"]
    return ["test", "disable"] if row["status"] == "active" else ["test", "enable"]


async def _one(ask: Ask, integration_id: str) -> Shown:
    path = f"{ROOT}/{quote(integration_id, safe='')}"
    found = await ask.api.get(path, tenant_id=tenants.asked(ask))
    health = await ask.tried(f"{path}/health", tenant_id=tenants.asked(ask))
    told, problem, pinned = await _tools(ask, found, path)
    of_file = found["owner"] == "file"
    paused = [] if of_file else ["enable", "maintenance", "disable", "delete"]
    if found["status"] == "active":
        paused = [name for name in paused if name != "enable"]
    elif not of_file:
        paused.remove("disable" if found["status"] == "disabled" else "maintenance")
    buttons = ["test", *(["accept_all"] if pinned["tools"] else []), *paused]
    return Shown(
        title=integration_id,
        template="detail.html",
        context={
            "row_acts": hidden(() if of_file else ("change",), NAMES),
            "buttons": buttons,
            "row": {"integration_id": integration_id, **pinned},
            "back": (tenants.within("/ui/integrations", ask), "All integrations"),
            "note": reason(found, "integration") and f"{reason(found, 'integration')} It can be tested here.",
            "values": {
                "change": {
                    "integration_id": integration_id,
                    "type": found["type"],
                    "configuration": found["configuration"],
                    "monitoring": found["monitoring"],
                }
            },
            "facts": (("About", _about(found, health)),),
            "texts": (("Configuration", found["configuration"]),),
        },
        stats=_health_stats(found, health),
        tables=(told, _checks(health.get("checks", []))),
        problems=[each for each in (health.problem, problem) if each],
    )


def _health_stats(found: Mapping[str, Any], health: Any) -> list[Stat]:
    failures = health.get("consecutive_failures", 0)
    return [
        Stat("State", found["status"], "state"),
        Stat("Health", found["health"], "state", health.get("error", "")),
        Stat("Latency", health.get("latency_ms"), "ms"),
        Stat("Availability", health.get("availability"), "share", "of the looks below"),
        Stat("Breaker", found.get("breaker"), "state", "of calls, in this process"),
        Stat("Failures in a row", failures, state="bad" if failures else ""),
    ]


def _about(found: Mapping[str, Any], health: Any) -> list[tuple[str, Any, str]]:
    interval_s = found["monitoring"].get("interval_s")
    pairs = [
        ("Type", found["type"], "text"),
        ("Tenant", found["tenant_id"], "code"),
        ("From", origin(found), "text"),
        ("Endpoint", found["configuration"].get("endpoint"), "code"),
        ("Looked at", health.get("checked_at"), "when"),
        ("Looked at every", interval_s and f"{interval_s:g} s", "text"),
        ("Version", found["version"] if found["owner"] == "api" else None, "number"),
        ("Made", found["created_at"], "when"),
        ("Changed", found["updated_at"], "when"),
        ("Changed by", found["updated_by"], "code"),
    ]
    return [pair for pair in pairs if pair[1] is not None]


async def _tools(
    ask: Ask, found: Mapping[str, Any], path: str
) -> tuple[Table, str, dict[str, str]]:  # fmt: skip
    """Its tools, why they are not shown, and what is to be accepted of them, as the act takes it."""
    integration_id = found["integration_id"]
    if found["type"] != "mcp" and tenants.titled("Tools", ask):
        return _tool_table(ask, [], _OF_OTHERS), "", _NONE
    if found["type"] != "mcp":
        told = await ask.tried("/api/v1/tools", integration_id=integration_id)
        away = [each["reason"] for each in told.get("unavailable", [])]
        return _tool_table(ask, told.get("tools", []), found["type"]), told.problem or "; ".join(away), _NONE
    told = await ask.tried(f"{path}/tools", tenant_id=tenants.asked(ask))
    rows = [{**each, "integration_id": integration_id} for each in told.get("tools", [])]
    waiting = {each["tool_name"]: each["digest"] for each in rows if each["state"] != "accepted"}
    for row in rows:
        row |= _accepting({row["tool_name"]: row["digest"]})
        row["acts_offered"] = [] if row["state"] == "accepted" else ["accept"]
    return _pinned_table(ask, rows), told.problem, _accepting(waiting)


def _accepting(digests: Mapping[str, str | None]) -> dict[str, str]:
    seen = {name: digest for name, digest in digests.items() if digest}
    return {"tools": "\n".join(digests), "digests": json.dumps(seen) if digests else ""}


_NONE: Final = {"tools": "", "digests": ""}
_OF_OTHERS: Final = "of others"
_NO_TOOLS: Final = {
    "llm_provider": "Its models are called as models: see Models. It has no tools.",
    _OF_OTHERS: "Tools are listed for callers of their own tenant only: log in with a key of it.",
}


def _tool_column(ask: Ask) -> Column:
    place = tenants.within("/ui/integrations/{integration_id}%2F{tool_name}", ask)
    return Column("tool_name", "Tool", "code", place)


def _tool_table(ask: Ask, rows: list[dict[str, Any]], kind: str) -> Table:
    otherwise = (
        "It offers no tools: name queries or operations in its "
        f"configuration (docs/{_PATHS.get(kind, 'integrations.md')}), or see above why it cannot say."
    )
    return Table(
        name="tools",
        title="Tools",
        columns=(
            _tool_column(ask),
            Column("description", "What it does", "long"),
            Column("read_only", "Reads only", "flag"),
            Column("idempotent", "Repeatable", "flag", wide=True),
            Column("destructive", "Destructive", "flag"),
        ),
        rows=rows,
        empty=_NO_TOOLS.get(kind, otherwise),
    )


def _pinned_table(ask: Ask, rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="tools",
        title="Tools, as its server tells them",
        columns=(
            _tool_column(ask),
            Column("state", "State", "state"),
            Column("usable", "Usable", "flag"),
            Column("description", "What its server says", "long"),
            Column("destructive", "Destructive", "flag", wide=True),
            Column("accepted_at", "Accepted", "when", wide=True),
            Column("accepted_by", "By", "code", wide=True),
        ),
        rows=rows,
        acts=("accept",),
        empty="Its server told no tools yet: test it, and see above why it could not be asked.",
    )


def _checks(checks: list[dict[str, Any]]) -> Table:
    return Table(
        name="checks",
        title="Looks, the newest first",
        columns=(
            Column("checked_at", "When", "when"),
            Column("state", "State", "state"),
            Column("latency_ms", "Latency", "ms"),
            Column("error", "What was wrong", "long"),
        ),
        rows=checks,
        empty="Nobody looked yet: test it, or wait for the next look.",
    )


async def _tool(ask: Ask, integration_id: str, tool_name: str) -> Shown:
    here = f"{ROOT}/{quote(integration_id, safe='')}"
    pinned = await ask.tried(f"{here}/tools", tenant_id=tenants.asked(ask))
    listed = next((each for each in pinned.get("tools", []) if each["tool_name"] == tool_name), None)
    path = f"/api/v1/tools/{quote(integration_id, safe='')}/{quote(tool_name, safe='')}"
    of_others = bool(tenants.titled("Tools", ask))
    if listed is None or (listed["usable"] and not of_others):
        found = await ask.api.get(path)
    else:
        found = listed
    parameters = next(iter(found.get("examples") or []), None) or {}
    accepting = _accepting({tool_name: listed["digest"]} if listed else {})
    unaccepted = listed is not None and listed["state"] != "accepted"
    said = {"integration_id": integration_id, "tool_name": tool_name, "parameters": parameters}
    return Shown(
        title=f"{integration_id} / {tool_name}",
        template="detail.html",
        context={
            "row_acts": hidden(() if unaccepted or of_others else ("try",), NAMES),
            "buttons": ["accept"] if unaccepted else [],
            "row": {"integration_id": integration_id, **accepting},
            "note": "Its server says something that nobody accepted: it cannot be called until somebody "
            "looked at it and accepts it." if unaccepted else "",
            "back": (
                tenants.within(f"/ui/integrations/{quote(integration_id, safe='')}", ask),
                f"All tools of {integration_id}",
            ),
            "values": {"try": {**said, "parameters": json.dumps(parameters, indent=2)}},
            "facts": ((found.get("description") or "About", _tool_facts(found, listed)),),
            "texts": (
                ("Parameters (JSON Schema)", found.get("parameters")),
                ("Result (JSON Schema)", found.get("result")),
                ("By curl", _curl(said)),
            ),
        },
    )  # fmt: skip


def _tool_facts(found: Mapping[str, Any], listed: Mapping[str, Any] | None) -> list[tuple[str, Any, str]]:
    pairs = [
        ("Reads only", found.get("read_only"), "flag"),
        ("Repeatable", found.get("idempotent"), "flag"),
        ("Destructive", found.get("destructive"), "flag"),
        ("Streams as", found.get("streams") or None, "list"),
    ]
    if listed is not None:
        pairs += [
            ("State", listed["state"], "state"),
            ("Digest now", listed["digest"], "code"),
            ("Digest accepted", listed["accepted_digest"], "code"),
            ("Accepted", listed["accepted_at"], "when"),
        ]
    return [pair for pair in pairs if pair[1] is not None]


def _curl(said: Mapping[str, Any]) -> str:
    body = json.dumps(said, ensure_ascii=False).replace("'", "'\\''")
    return (
        'curl -H "Authorization: Bearer $KEY" -H "content-type: application/json" \\\n'
        f"  $INTERCHANGE_URL/api/v1/tools/execute \\\n  -d '{body}'"
    )


PAGE: Final = Page(
    name="integrations",
    title="Integrations & tools",
    group="Outside",
    permission="integrations.read",
    view=view,
    about="What is reached besides models, how it is doing, and what it can do.",
    acts=ACTS,
)
