"""Who may call: keys, what they may do, and how long."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from entrypoints.ui.owned import hidden
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table, Tried

ROOT: Final = "/api/v1/keys"
ONE: Final = ROOT + "/{key_id}"
BUDGETS: Final = "/api/v1/budgets"
LIMIT: Final = 200
FILTERS: Final = (
    Field("name", "Name"),
    Field("role", "Role"),
    Field("state", "State", "choice", choices=("live", "expired", "revoked")),
    Field("tenant_id", "Tenant"),
)


async def view(ask: Ask) -> Shown:
    """Those that fit the filters, or one of them."""
    if ask.item:
        return await _one(ask)
    said = {field.name: ask.query.get(field.name, "") for field in FILTERS}
    answer = await ask.api.get(ROOT, limit=LIMIT, cursor=ask.query.get("cursor"), **said)
    more = ""
    if answer["next_cursor"]:
        kept = {name: value for name, value in said.items() if value}
        more = "?" + urlencode({**kept, "cursor": answer["next_cursor"]})
    rows = [
        {"name": "", **each, "acts_offered": ["revoke"] if each["state"] == "live" else []}
        for each in answer["keys"]
    ]
    return Shown(
        context={
            "row_acts": hidden(("create",), _NAMES),
            "filters": FILTERS,
            "values": {"create": {"tenant_id": ask.person.principal.tenant_id, "role": "agent"}},
        },
        tables=(
            Table(
                name="keys",
                title="Keys",
                more=more,
                columns=(
                    Column("name", "Name", link="/ui/keys/{key_id}"),
                    Column("role", "Role"),
                    Column("state", "State", "state"),
                    Column("last_used_at", "Last used", "when"),
                    Column("expires_at", "Expires", "when"),
                    Column("tenant_id", "Tenant", "code", wide=True),
                    Column("team", "Team", wide=True),
                    Column("project", "Project", wide=True),
                    Column("allowed_models", "Models", "list", wide=True),
                    Column("scopes", "Narrowed to", "list", wide=True),
                    Column("created_at", "Made", "when", wide=True),
                    Column("key_id", "Key", "code", "/ui/keys/{key_id}", wide=True),
                ),
                rows=rows,
                acts=("revoke",),
                empty="No key fits. Make one above, one for each program or agent: so that each has its own "
                "budget, and can be shut out by itself.",
            ),
        ),
    )


async def _one(ask: Ask) -> Shown:
    found = await ask.api.get(f"{ROOT}/{quote(ask.item, safe='')}")
    live = found["state"] == "live"
    budgets = await ask.tried(BUDGETS) if ask.may("budgets.read") else Tried({})
    return Shown(
        title=found["name"] or found["key_id"],
        template="detail.html",
        context={
            "row_acts": hidden(("change", "rotate") if live else (), _NAMES),
            "buttons": ["revoke"] if live else [],
            "row": {"key_id": found["key_id"]},
            "back": ("/ui/keys", "All keys"),
            "links": _links(ask, found["key_id"]),
            "values": {"change": found, "rotate": {"key_id": found["key_id"], "overlap_seconds": 0}},
            "facts": (("What it may do", _may(found)), ("Whose it is, and since when", _about(found))),
        },
        stats=(
            Stat("State", found["state"], "state", found["revoked_reason"]),
            Stat("Role", found["role"], "text"),
            Stat("Last used", found["last_used_at"], "when"),
            Stat("Expires", found["expires_at"], "when"),
        ),
        tables=_budgets(budgets.get("budgets", []), found["key_id"]) if ask.may("budgets.read") else (),
        problems=[budgets.problem] if budgets.problem else (),
    )


def _budgets(every: list[dict[str, Any]], key_id: str) -> tuple[Table]:
    """Those that count this key alone."""
    rows = [each for each in every if each["scope"].get("key") == key_id]
    return (
        Table(
            name="budgets",
            title="Budgets of this key alone",
            columns=(
                Column("name", "Budget", link="/ui/budgets/{budget_id}"),
                Column("limit_usd", "Limit", "usd"),
                Column("period", "Per"),
                Column("hard", "Refuses what would pass it", "flag"),
            ),
            rows=[
                {**each, "acts_offered": [] if each["owner"] == "file" else ["drop_budget"]} for each in rows
            ],
            acts=("drop_budget",),
            empty="No budget counts this key alone. Make one under Budgets, with this key's id as what it "
            "counts; those of its tenant, team or project hold it all the same.",
        ),
    )


def _links(ask: Ask, key_id: str) -> list[tuple[str, str]]:
    places = (
        ("usage.read", "Its requests", f"/ui/requests?{urlencode({'key_id': key_id})}"),
        ("audit.read", "What was done to it", f"/ui/audit?{urlencode({'subject': f'key_id={key_id}'})}"),
        ("budgets.read", "Budgets", "/ui/budgets"),
    )
    return [(title, link) for permission, title, link in places if ask.may(permission)]


def _may(found: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    unbound = {
        "scopes": "all its role may",
        "allowed_models": "all",
        "networks": "anywhere",
        "assertable": "any",
        "integrations": "all",
        "managed_budgets": "all its role lets it",
    }
    titles = {
        "scopes": "Narrowed to",
        "allowed_models": "Models",
        "networks": "Used from",
        "assertable": "Names users and agents",
        "integrations": "Integrations",
        "managed_budgets": "Changes budgets",
    }
    return [(titles[name], _bound(found[name], otherwise), "list") for name, otherwise in unbound.items()]


def _bound(given: list[str] | None, otherwise: str) -> Any:
    """A key that is bound to nothing reaches nothing; one without a bound, everything."""
    if given is None or (not given and otherwise == "anywhere"):
        return otherwise
    return given or "none"


def _about(found: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    pairs = [
        ("Key", found["key_id"], "code"),
        ("Tenant", found["tenant_id"], "code"),
        ("Team", found["team"], "text"),
        ("Project", found["project"], "text"),
        ("Cost centre", found["cost_center"], "text"),
        ("For", found["env"], "text"),
        ("Made", found["created_at"], "when"),
        ("Made by", found["created_by"], "code"),
        ("Rotated", found["rotated_at"], "when"),
        ("Old secret until", found["old_secret_until"], "when"),
        ("Revoked", found["revoked_at"], "when"),
        ("Revoked by", found["revoked_by"], "code"),
        ("Imported", found["imported"], "flag"),
        ("Note", found["note"], "text"),
    ]
    return [pair for pair in pairs if pair[1] not in (None, "")]


def _bound_by(name: str, title: str, hint: str, otherwise: str) -> Field:
    """A bound of a key. Emptied, it is none any more."""
    return Field(name, title, "list", f"{hint}, one on each line; empty: {otherwise}.", emptied=None)


_ID: Final = Field("key_id", "Key", "path")
_FORM: Final = (
    Field(
        "role",
        "Role",
        hint="owner, admin, operator, developer, viewer, auditor, agent, or a role of the tenant's own.",
        required=True,
    ),
    Field("expires_at", "Expires (UTC)", hint="As 2027-01-01T00:00:00Z; empty: never.", emptied=None),
    Field("team", "Team", emptied=""),
    Field("project", "Project", emptied=""),
    Field("cost_center", "Cost centre", emptied=""),
    _bound_by("scopes", "Narrowed to", "Permissions such as llm.call", "all of the role's"),
    _bound_by("allowed_models", "Models", "Routes, provider/model, or provider/*", "all"),
    _bound_by("networks", "Used from", "Addresses or networks", "anywhere"),
    _bound_by("assertable", "Names users and agents", "As user:alice, agent:crawler-*", "any"),
    _bound_by("integrations", "Integrations", "Patterns such as jira-*", "all"),
    _bound_by("managed_budgets", "Changes budgets", "Patterns of their names", "all its role lets it"),
)
ACTS: Final = (
    Act(
        name="create",
        title="Make a key",
        method="POST",
        path=ROOT,
        permission="keys.write",
        fields=(
            Field("name", "Name", hint="For people: which program or agent has it.", required=True),
            Field("tenant_id", "Tenant", required=True),
            *_FORM,
            Field("budget.limit_usd", "Budget, $", "number", "Requests above it are refused; empty: none."),
            Field(
                "budget.period",
                "Budget for each",
                "choice",
                choices=("hour", "day", "week", "month", "quarter", "year", "total"),
            ),
            Field("env", "For", "choice", "Stands in the key's text.", choices=("live", "test")),
        ),
        done="The key is made.",
        shows_once=("key", "key_id", "budget_id"),
    ),
    Act(
        name="change",
        title="Change",
        method="PUT",
        path=ONE,
        permission="keys.write",
        fields=(_ID, Field("name", "Name"), *_FORM),
        done="It is changed, within a second everywhere. Bounds that were emptied hold no more.",
    ),
    Act(
        name="rotate",
        title="Rotate the secret",
        method="POST",
        path=f"{ONE}/rotate",
        permission="keys.write",
        fields=(
            _ID,
            Field("overlap_seconds", "The old one is good for, seconds", "whole", "0: it ends at once."),
        ),
        done="This is the new secret.",
        shows_once=("key", "old_secret_until"),
    ),
    Act(
        name="revoke",
        title="Revoke",
        method="DELETE",
        path=ONE,
        permission="keys.write",
        fields=(_ID,),
        done="It is revoked: requests with it are refused within a second.",
        danger=True,
    ),
    Act(
        name="drop_budget",
        title="Remove",
        method="DELETE",
        path=f"{BUDGETS}/{{budget_id}}",
        permission="budgets.write",
        fields=(Field("budget_id", "Budget", "path"),),
        done="The budget is removed, and holds the key no more.",
        danger=True,
    ),
)
_NAMES: Final = tuple(act.name for act in ACTS)

PAGE: Final = Page(
    name="keys",
    title="Keys",
    group="Access",
    permission="keys.read",
    view=view,
    about="Who may call, what with, and until when.",
    acts=ACTS,
)
