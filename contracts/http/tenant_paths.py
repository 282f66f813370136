"""Tenants, their projects and their roles."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, closed, integer, maybe, obj, one_of, ref, text

_TIME = maybe(text("RFC 3339, UTC; null: nobody knows.", format="date-time"))
_STATES = ("active", "suspended")
_DESCRIPTION: dict[str, Schema] = {
    "name": text("For people.", maxLength=100),
    "organisation": text("Groups tenants for limits they share.", maxLength=63),
    "residency": text("The region or group of regions its content may be in; empty: anywhere."),
    "compliance": array(text(), "Attestations whoever answers it must have.", maxItems=100),
    "privacy": text("The privacy policy that is the least its requests get; empty: none."),
    "guardrails": array(text(), "Guardrails every request of it passes.", maxItems=100),
    "networks": array(text(), "CIDRs its callers may come from; empty: anywhere.", maxItems=256),
    "egress": array(text(), "Hosts its own integrations may reach.", maxItems=100),
    "projects": one_of(["free", "enforced"], "`enforced`: each of its keys has to name one of its projects."),
}
_STATE_ASKED = maybe(one_of(_STATES, "Left out or null: as it is; a new one is active."))
_ROLE: dict[str, Schema] = {
    "permissions": array(text(), "What it may do.", minItems=1),
    "description": text("For people.", maxLength=500),
    "tenant_id": maybe(text("Null or left out: the tenant of the key.")),
}

TENANT_SCHEMAS: dict[str, Schema] = {
    "NewTenant": closed(
        obj(
            {"tenant_id": text(maxLength=63), **_DESCRIPTION, "state": _STATE_ASKED},
            optional=[*_DESCRIPTION, "state"],
            example={"tenant_id": "acme", "name": "Acme Ltd", "residency": "eu"},
        )
    ),
    "TenantDescription": closed(
        obj(
            {**_DESCRIPTION, "state": _STATE_ASKED},
            optional=[*_DESCRIPTION, "state"],
            example={"name": "Acme Ltd", "state": "suspended"},
        )
    ),
    "Tenant": obj(
        {
            "tenant_id": text(),
            "owner": one_of(["file", "api"], "Only the owner may change it."),
            "declared_in": maybe(text("File and line.")),
            "described": boolean("False: it came to be known with its first key."),
            **_DESCRIPTION,
            "state": one_of(_STATES),
            "created_at": _TIME,
            "updated_at": _TIME,
        }
    ),
    "Tenants": obj({"tenants": array(ref("Tenant"), "By id.")}),
    "TenantRemoved": obj({"tenant_id": text(), "removed": boolean()}),
    "ProjectBody": closed(
        obj(
            {
                "cost_center": text("Of its keys, unless they name another.", maxLength=64),
                "description": text("For people.", maxLength=500),
            },
            optional=["cost_center", "description"],
            example={"cost_center": "CC-42"},
        )
    ),
    "Project": obj(
        {
            "tenant_id": text(),
            "name": text(),
            "cost_center": text(),
            "description": text(),
            "created_at": _TIME,
            "updated_at": _TIME,
        }
    ),
    "Projects": obj({"projects": array(ref("Project"), "By name.")}),
    "ProjectRemoved": obj({"tenant_id": text(), "name": text(), "removed": boolean()}),
    "NewRole": closed(
        obj(
            {"name": text(maxLength=63), **_ROLE},
            optional=["description", "tenant_id"],
            example={"name": "support", "permissions": ["usage.read", "agents.stop"]},
        )
    ),
    "RoleBody": closed(
        obj(_ROLE, optional=["description", "tenant_id"], example={"permissions": ["usage.read"]})
    ),
    "Role": obj(
        {
            "name": text(),
            "owner": one_of(["built-in", "file", "api"], "Only roles of the API can be changed here."),
            "declared_in": maybe(text("File and line.")),
            "description": text(),
            "permissions": array(text(), "What it gives in this tenant."),
            "keys": integer("Live keys that have it.", minimum=0),
            "created_at": _TIME,
            "updated_at": _TIME,
        }
    ),
    "Roles": obj({"roles": array(ref("Role"), "The built-in ones first, then those of the file.")}),
    "RoleRemoved": obj({"name": text(), "removed": boolean()}),
}

_TENANT = path_parameter("tenant_id", "The tenant, as keys name it.")
_PROJECT = path_parameter("name", "The project, as keys name it; may contain slashes.")
_ROLE_NAME = path_parameter("name", "The role, as keys name it.")
_OF_TENANT = query_parameter("tenant_id", "Another tenant's, for those who manage tenants.", text())
_OWNED = "The file owns it (`owned_by_file`), there is one already, or there are too many."


def _conflict(meaning: str) -> dict[str, Any]:
    return errors(("Error",), 409, meanings={409: meaning})


_PUT_ANSWERS = (400, 404, 413, 503)

TENANT_PATHS: dict[str, Any] = {
    "/api/v1/tenants": {
        "get": operation(
            "listTenants",
            "Tenants",
            "All tenants this key may manage, or its own",
            {"200": json_answer(ref("Tenants"), "By id."), **admin_errors(400, 503)},
        ),
        "post": operation(
            "createTenant",
            "Tenants",
            "Describe a new tenant",
            {
                "201": json_answer(ref("Tenant"), "In force here at once, everywhere within a second."),
                **admin_errors(400, 413, 503),
                **_conflict(_OWNED),
            },
            body="NewTenant",
        ),
    },
    "/api/v1/tenants/{tenant_id}": {
        "get": operation(
            "readTenant",
            "Tenants",
            "One tenant; everybody sees their own",
            {"200": json_answer(ref("Tenant"), "As it is."), **admin_errors(404, 503)},
            parameters=[_TENANT],
        ),
        "put": operation(
            "putTenant",
            "Tenants",
            "Describe a tenant, suspend it or let it go on",
            {
                "200": json_answer(ref("Tenant"), "In force here at once, everywhere within a second."),
                "201": json_answer(ref("Tenant"), "It was not known."),
                **admin_errors(400, 404, 413, 503),
                **_conflict(_OWNED),
            },
            parameters=[_TENANT],
            body="TenantDescription",
        ),
        "delete": operation(
            "removeTenant",
            "Tenants",
            "Remove a tenant of which nothing is left",
            {
                "200": json_answer(ref("TenantRemoved"), "With its roles, projects and dead keys."),
                **admin_errors(404, 503),
                **_conflict("Something of it is left (`details.left`), or the file owns it."),
            },
            parameters=[_TENANT],
        ),
    },
    "/api/v1/tenants/{tenant_id}/projects": {
        "get": operation(
            "listProjects",
            "Tenants",
            "A tenant's projects",
            {"200": json_answer(ref("Projects"), "By name."), **admin_errors(400, 404, 503)},
            parameters=[_TENANT],
        )
    },
    "/api/v1/tenants/{tenant_id}/projects/{name}": {
        "put": operation(
            "putProject",
            "Tenants",
            "Make or replace a project",
            {
                "200": json_answer(ref("Project"), "Replaced."),
                "201": json_answer(ref("Project"), "Made."),
                **admin_errors(*_PUT_ANSWERS),
                **_conflict("Too many."),
            },
            parameters=[_TENANT, _PROJECT],
            body="ProjectBody",
        ),
        "delete": operation(
            "removeProject",
            "Tenants",
            "Remove a project",
            {
                "200": json_answer(ref("ProjectRemoved"), "It is gone."),
                **admin_errors(404, 503),
                **_conflict("Live keys name it, and this tenant's keys need a project (`details.keys`)."),
            },
            parameters=[_TENANT, _PROJECT],
        ),
    },
    "/api/v1/roles": {
        "get": operation(
            "listRoles",
            "Tenants",
            "Roles a tenant has",
            {"200": json_answer(ref("Roles"), "All of them."), **admin_errors(400, 404, 503)},
            parameters=[_OF_TENANT],
        ),
        "post": operation(
            "createRole",
            "Tenants",
            "Make a role",
            {
                "201": json_answer(ref("Role"), "In force here at once, everywhere within a second."),
                **admin_errors(*_PUT_ANSWERS),
                **_conflict(_OWNED),
            },
            body="NewRole",
        ),
    },
    "/api/v1/roles/{name}": {
        "get": operation(
            "readRole",
            "Tenants",
            "One role",
            {"200": json_answer(ref("Role"), "With its owner."), **admin_errors(400, 404, 503)},
            parameters=[_ROLE_NAME, _OF_TENANT],
        ),
        "put": operation(
            "putRole",
            "Tenants",
            "Make or change a role, and with it every key that has it",
            {
                "200": json_answer(ref("Role"), "In force here at once, everywhere within a second."),
                "201": json_answer(ref("Role"), "Made."),
                **admin_errors(*_PUT_ANSWERS),
                **_conflict(_OWNED),
            },
            parameters=[_ROLE_NAME],
            body="RoleBody",
        ),
        "delete": operation(
            "removeRole",
            "Tenants",
            "Remove a role nobody has",
            {
                "200": json_answer(ref("RoleRemoved"), "It is gone."),
                **admin_errors(400, 404, 503),
                **_conflict("Built in, owned by the file, or live keys have it (`details.keys`)."),
            },
            parameters=[_ROLE_NAME, _OF_TENANT],
        ),
    },
}
