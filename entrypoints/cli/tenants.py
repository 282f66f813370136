"""`interchange tenants`: tenants and their projects, straight from the store of this machine.

Whoever may read the data directory acts as its owner; no key is needed and no server has to run. Running
servers follow within a second.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

import click

from application.use_cases.manage_tenants import TenantRecord
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.project import Project
from domain.tenancy.role import local_operator
from domain.tenancy.tenant import Tenant, TenantState
from entrypoints.cli.plain_table import print_table
from entrypoints.command_loop import run
from entrypoints.tenancy import Managing

Result = TypeVar("Result")
OpenManaging = Callable[[], AbstractContextManager[Managing]]

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_LISTS = ("compliance", "guardrails", "networks", "egress")


def make_group(open_managing: OpenManaging) -> click.Group:
    """The group `tenants`. The use cases are opened when a command runs, and closed after it."""

    @click.group(name="tenants")
    def tenants() -> None:
        """Describe, suspend and remove tenants; their projects."""

    for make in (
        _list,
        _add,
        _set,
        _suspend,
        _resume,
        _release,
        _delete,
        _projects,
        _project_set,
        _project_delete,
    ):
        tenants.add_command(make(open_managing))
    return tenants


def _described(command: Any) -> Any:
    """The options that describe a tenant."""
    options = [
        click.option("--name", help="For people."),
        click.option("--organisation", help="Groups tenants for limits they share."),
        click.option("--residency", help="The region its content may be in; an empty text: anywhere."),
        click.option("--compliance", multiple=True, help="An attestation, such as hipaa; may be repeated."),
        click.option("--privacy", help="The privacy policy that is the least its requests get."),
        click.option("--guardrail", "guardrails", multiple=True, help="Every request passes it; repeatable."),
        click.option(
            "--network", "networks", multiple=True, help="A CIDR callers may come from; repeatable."
        ),
        click.option("--egress", multiple=True, help="A host its integrations may reach; repeatable."),
        click.option("--projects", type=click.Choice(["free", "enforced"]), help="Whether keys need one."),
        click.option(
            "--clear",
            multiple=True,
            type=click.Choice(_LISTS),
            help="Empty this list; may be repeated.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _with(tenant: Tenant, given: dict[str, Any]) -> Tenant:
    """The tenant with what was said; lists replace lists."""
    changed: dict[str, Any] = {
        name: given[name]
        for name in ("name", "organisation", "residency", "privacy")
        if given[name] is not None
    }
    for name in _LISTS:
        if given[name] or name in given["clear"]:
            changed[name] = frozenset(given[name]) if name == "compliance" else tuple(given[name])
    if given["projects"] is not None:
        changed["projects_enforced"] = given["projects"] == "enforced"
    return replace(tenant, **changed)


def _list(open_managing: OpenManaging) -> click.Command:
    @click.command("list")
    @_json_option
    def list_tenants(as_json: bool) -> None:
        """Show all tenants."""
        records = _run(open_managing, lambda use: use.tenants.all(local_operator()))
        if as_json:
            click.echo(json.dumps([_object(record) for record in records], indent=2))
            return
        print_table(
            ("TENANT", "STATE", "OWNER", "NAME", "ORGANISATION", "DEMANDS"),
            [
                (
                    record.tenant.tenant_id,
                    record.tenant.state.value,
                    record.declared_in or ("api" if record.described else "its keys"),
                    record.tenant.name,
                    record.tenant.organisation,
                    _demands(record.tenant),
                )
                for record in records
            ],
            nothing="no tenants",
        )

    return list_tenants


def _add(open_managing: OpenManaging) -> click.Command:
    @click.command("add")
    @click.argument("tenant_id")
    @_described
    @_json_option
    def add(tenant_id: str, as_json: bool, **given: Any) -> None:
        """Describe the new tenant TENANT_ID."""
        wanted = _with(Tenant(tenant_id=tenant_id), given)
        record = _run(open_managing, lambda use: use.tenants.create(local_operator(), wanted))
        _show(record, "is described", as_json)

    return add


def _set(open_managing: OpenManaging) -> click.Command:
    @click.command("set")
    @click.argument("tenant_id")
    @_described
    @_json_option
    def set_tenant(tenant_id: str, as_json: bool, **given: Any) -> None:
        """Change what is said of TENANT_ID; what is not named stays."""

        async def work(use: Managing) -> TenantRecord:
            by = local_operator()
            known = await use.tenants.one(by, tenant_id)
            record, _ = await use.tenants.replace(by, _with(known.tenant, given), keep_state=True)
            return record

        _show(_run(open_managing, work), "is described", as_json)

    return set_tenant


def _state_command(
    name: str, state: TenantState, told: str, text: str
) -> Callable[[OpenManaging], click.Command]:
    def make(open_managing: OpenManaging) -> click.Command:
        @click.command(name, help=text)
        @click.argument("tenant_id")
        @_json_option
        def command(tenant_id: str, as_json: bool) -> None:
            record = _run(
                open_managing, lambda use: use.tenants.set_state(local_operator(), tenant_id, state)
            )
            _show(record, told, as_json)

        return command

    return make


_suspend = _state_command(
    "suspend",
    TenantState.SUSPENDED,
    "is suspended",
    "Let nobody of TENANT_ID in, within a second; what it has stays.",
)
_resume = _state_command("resume", TenantState.ACTIVE, "may go on", "Let TENANT_ID go on.")


def _release(open_managing: OpenManaging) -> click.Command:
    @click.command("release")
    @click.argument("tenant_id")
    @_json_option
    def release(tenant_id: str, as_json: bool) -> None:
        """Give up what was described here of TENANT_ID, so that the configuration file may describe it."""
        record = _run(open_managing, lambda use: use.tenants.release(local_operator(), tenant_id))
        _show(record, "is no longer described here", as_json)

    return release


def _delete(open_managing: OpenManaging) -> click.Command:
    @click.command("delete")
    @click.argument("tenant_id")
    @_json_option
    def delete(tenant_id: str, as_json: bool) -> None:
        """Remove TENANT_ID, of which nothing may be left; otherwise suspend it."""
        record = _run(open_managing, lambda use: use.tenants.remove(local_operator(), tenant_id))
        _show(record, "is removed", as_json)

    return delete


def _projects(open_managing: OpenManaging) -> click.Command:
    @click.command("projects")
    @click.argument("tenant_id")
    def projects(tenant_id: str) -> None:
        """Show the projects of TENANT_ID."""
        found = _run(open_managing, lambda use: use.projects.all(local_operator(), tenant_id))
        rows = [(project.name, project.cost_center, project.description) for project in found]
        print_table(("PROJECT", "COST CENTRE", "DESCRIPTION"), rows, nothing="no projects")

    return projects


def _project_set(open_managing: OpenManaging) -> click.Command:
    @click.command("project-set")
    @click.argument("tenant_id")
    @click.argument("name")
    @click.option("--cost-center", default="", help="Of its keys, unless they name another.")
    @click.option("--description", default="", help="For people.")
    def project_set(tenant_id: str, name: str, cost_center: str, description: str) -> None:
        """Make or change the project NAME of TENANT_ID."""
        project = Project(tenant_id=tenant_id, name=name, cost_center=cost_center, description=description)
        _, new = _run(open_managing, lambda use: use.projects.put(local_operator(), project))
        click.echo(f"project {name} of tenant {tenant_id} is {'made' if new else 'changed'}.")

    return project_set


def _project_delete(open_managing: OpenManaging) -> click.Command:
    @click.command("project-delete")
    @click.argument("tenant_id")
    @click.argument("name")
    def project_delete(tenant_id: str, name: str) -> None:
        """Remove the project NAME of TENANT_ID."""
        _run(open_managing, lambda use: use.projects.remove(local_operator(), tenant_id, name))
        click.echo(f"project {name} of tenant {tenant_id} is removed.")

    return project_delete


def _run(open_managing: OpenManaging, work: Callable[[Managing], Awaitable[Result]]) -> Result:
    async def working(use: Managing) -> Result:
        return await work(use)

    try:
        with open_managing() as use:
            return run(working(use))
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _show(record: TenantRecord, told: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_object(record), indent=2))
    else:
        click.echo(f"tenant {record.tenant.tenant_id} {told}.")


def _object(record: TenantRecord) -> dict[str, Any]:
    from entrypoints.http.tenants import tenant_object

    return tenant_object(record)


def _demands(tenant: Tenant) -> str:
    told = [tenant.residency and f"in {tenant.residency}", *sorted(tenant.compliance)]
    told += [tenant.privacy and f"privacy {tenant.privacy}", *tenant.guardrails]
    told += [", ".join(tenant.networks), "projects" if tenant.projects_enforced else ""]
    return "; ".join(filter(None, told))
