"""Tenants, what their cost is counted for, and what roles may do."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import hidden, origin, reason
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table

ROOT: Final = "/api/v1/tenants"
ONE: Final = ROOT + "/{tenant_id}"


async def view(ask: Ask) -> Shown:
    """All tenants that the person may see, or one with its projects and roles."""
    if ask.item:
        return await _one(ask)
    found = await ask.api.get(ROOT)
    rows = [{**each, "from": origin(each)} for each in found["tenants"]]
    return Shown(
        context={"row_acts": hidden(("create",), _NAMES)},
        tables=(
            Table(
                name="tenants",
                title="Tenants",
                columns=(
                    Column("tenant_id", "Tenant", "code", "/ui/tenants/{tenant_id}"),
                    Column("name", "Name"),
                    Column("state", "State", "state"),
                    Column("organisation", "Organisation", wide=True),
                    Column("residency", "Residency", wide=True),
                    Column("privacy", "Privacy", wide=True),
                    Column("guardrails", "Guardrails", "list", wide=True),
                    Column("projects", "Projects", wide=True),
                    Column("from", "From", wide=True),
                ),
                rows=rows,
                empty="There is no tenant that you may see.",
            ),
        ),
    )


async def _one(ask: Ask) -> Shown:
    tenant_id = ask.item
    path = f"{ROOT}/{quote(tenant_id, safe='')}"
    found = await ask.api.get(path)
    projects = await ask.tried(f"{path}/projects")
    tables = [_projects(projects.get("projects", []))]
    problems = [projects.problem]
    if ask.may("roles.read"):
        roles = await ask.tried("/api/v1/roles", tenant_id=tenant_id)
        own = tenant_id == ask.person.principal.tenant_id
        tables.append(_roles(roles.get("roles", []), tenant_id, own))
        problems.append(roles.problem)
    of_file = found["owner"] == "file"
    here = {"tenant_id": tenant_id}
    return Shown(
        title=found["name"] or tenant_id,
        template="detail.html",
        context={
            "row_acts": hidden(("project", "role") if of_file else ("change", "project", "role"), _NAMES),
            "buttons": [] if of_file or not found["described"] else ["delete"],
            "row": here,
            "note": reason(found, "tenant"),
            "back": ("/ui/tenants", "All tenants"),
            "values": {"change": found, "project": here, "role": here},
            "facts": (("About", _about(found)),),
        },
        stats=(
            Stat("State", found["state"], "state"),
            Stat("Residency", found["residency"], "text", "where content may be"),
            Stat("Privacy", found["privacy"], "text"),
        ),
        tables=tables,
        problems=[problem for problem in problems if problem],
    )


def _about(found: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    return [
        ("Tenant", found["tenant_id"], "code"),
        ("Organisation", found["organisation"], "text"),
        ("Compliance", found["compliance"] or None, "list"),
        ("Guardrails", found["guardrails"] or None, "list"),
        ("Reached from", found["networks"] or "anywhere", "list"),
        ("Its integrations reach", found["egress"] or "public addresses", "list"),
        ("Projects", found["projects"], "text"),
        ("From", origin(found), "text"),
        ("Made", found["created_at"], "when"),
        ("Changed", found["updated_at"], "when"),
    ]


def _projects(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="projects",
        title="Projects",
        columns=(
            Column("name", "Project"),
            Column("cost_center", "Cost centre"),
            Column("description", "Description"),
            Column("updated_at", "Changed", "when", wide=True),
        ),
        rows=rows,
        acts=("drop_project",),
        empty="No project is described. Keys and requests can name any, unless projects are enforced.",
    )


def _roles(rows: list[dict[str, Any]], tenant_id: str, own: bool) -> Table:
    shown = [
        {
            **row,
            "tenant_id": tenant_id,
            "from": origin(row),
            "acts_offered": ["drop_role"] if own and row["owner"] == "api" else [],
        }
        for row in rows
    ]
    return Table(
        name="roles",
        title="Roles",
        columns=(
            Column("name", "Role"),
            Column("keys", "Keys", "number"),
            Column("from", "From"),
            Column("description", "Description", wide=True),
            Column("permissions", "May", "long", wide=True),
        ),
        rows=shown,
        acts=("drop_role",),
        empty="No roles.",
    )


_ID: Final = Field("tenant_id", "Tenant", "path")
_FORM: Final = (
    Field("name", "Name"),
    Field("organisation", "Organisation", hint="Budgets and limits can hold for all its tenants together."),
    Field(
        "state",
        "State",
        "choice",
        "suspended: all its requests are refused.",
        choices=("active", "suspended"),
    ),
    Field("residency", "Residency", hint="A region or a group of them where its content has to stay."),
    Field(
        "compliance", "Compliance", "list", "What providers have to have, such as hipaa; one on each line."
    ),
    Field("privacy", "Privacy policy", hint="Beside the route's: the stricter holds."),
    Field("guardrails", "Guardrails", "list", "By name, one on each line."),
    Field("networks", "Reached from", "list", "Addresses or networks, one on each line; empty: anywhere."),
    Field("egress", "Its integrations reach", "list", "Hosts, one on each line; empty: public addresses."),
    Field(
        "projects",
        "Projects",
        "choice",
        "enforced: only those described are taken.",
        choices=("free", "enforced"),
    ),
)
ACTS: Final = (
    Act(
        name="create",
        title="Make a tenant",
        method="POST",
        path=ROOT,
        permission="tenants.manage",
        fields=(Field("tenant_id", "Tenant", hint="Its id; it cannot change.", required=True), *_FORM),
        done="The tenant is made. Make keys for it next.",
    ),
    Act(
        name="change",
        title="Change",
        method="PUT",
        path=ONE,
        permission="tenants.manage",
        fields=(_ID, *_FORM),
        done="It is changed, within a second everywhere.",
    ),
    Act(
        name="delete",
        title="Delete its description",
        method="DELETE",
        path=ONE,
        permission="tenants.manage",
        fields=(_ID,),
        done="Its description is gone.",
        danger=True,
        leaves=True,
    ),
    Act(
        name="project",
        title="Describe a project",
        method="PUT",
        path=ONE + "/projects/{name}",
        permission="keys.write",
        fields=(
            _ID,
            Field("name", "Project", required=True),
            Field("cost_center", "Cost centre"),
            Field("description", "Description"),
        ),
        done="The project is described.",
    ),
    Act(
        name="drop_project",
        title="Remove",
        method="DELETE",
        path=ONE + "/projects/{name}",
        permission="keys.write",
        fields=(_ID, Field("name", "Project", "path")),
        done="The project is not described any more; what was counted for it stays.",
        danger=True,
    ),
    Act(
        name="role",
        title="Make or change a role",
        method="PUT",
        path="/api/v1/roles/{name}",
        permission="roles.write",
        fields=(
            Field("name", "Role", required=True),
            Field(
                "permissions",
                "May",
                "list",
                "Permissions such as llm.call, one on each line; those of built-in roles are listed below.",
                required=True,
            ),
            Field("description", "Description"),
            Field("tenant_id", "Tenant", "hidden"),
        ),
        done="The role is in force, within a second everywhere.",
    ),
    Act(
        name="drop_role",
        title="Remove",
        method="DELETE",
        path="/api/v1/roles/{name}",
        permission="roles.write",
        fields=(Field("name", "Role", "path"),),
        done="The role is gone.",
        danger=True,
    ),
)
_NAMES: Final = tuple(act.name for act in ACTS)

PAGE: Final = Page(
    name="tenants",
    title="Tenants & roles",
    group="Access",
    permission="tenants.read",
    view=view,
    about="Whose keys there are, what their cost is counted for, and what roles may do.",
    acts=ACTS,
)
