"""`interchange credentials`: stored secrets and their keys, straight from the store of this machine.

Whoever may read the data directory and the master keys acts as the operator; no server has to run, and one
that runs takes over what changed within a second. Values come from a file, a pipe or a prompt, never from an
argument: those are in shell histories and process lists.
"""

import json
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.termui import prompt

from domain.errors import InterchangeError, InvalidRequest, NotFound
from domain.tenancy.role import OPERATOR_TENANT, local_operator
from domain.vault.credential import (
    DEFAULT_FIELD,
    DEFAULT_INTEGRATION,
    SECRET_BYTES_MAX,
    NewCredential,
    StoredCredential,
)
from domain.vault.secret import SecretBytes
from entrypoints.cli.configured import config_option, load_or_exit
from entrypoints.cli.vault_commands import vault_commands
from entrypoints.command_loop import run
from entrypoints.http.credentials import credential_object
from entrypoints.vaulting import OpenedVault

Result = TypeVar("Result")
OpenVault = Callable[..., AbstractContextManager[OpenedVault]]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
tenant_option = click.option("--tenant", default=OPERATOR_TENANT, show_default=True, help="Whose.")
_file_option = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read the value from this file. Default: from a pipe, else asked for.",
)
_STANDARD_INPUT: Final = "-"


def make_group(open_vault: OpenVault) -> click.Group:
    """The group `credentials`. The vault is opened when a command runs, and closed after it."""

    @click.group(name="credentials")
    def credentials() -> None:
        """Keep secrets sealed, replace them, and turn the keys around them."""

    credentials.add_command(_list(open_vault))
    credentials.add_command(_add(open_vault))
    credentials.add_command(_replace(open_vault))
    credentials.add_command(_delete(open_vault))
    for command in vault_commands(open_vault, opened):
        credentials.add_command(command)
    return credentials


def opened(
    open_vault: OpenVault, config_path: str | None, work: Callable[[OpenedVault], Coroutine[Any, Any, Result]]
) -> Result:
    """What `work` returns; errors become one line."""
    try:
        with open_vault(load_or_exit(config_path)) as vault:
            return run(work(vault))
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _list(open_vault: OpenVault) -> click.Command:
    @click.command("list")
    @tenant_option
    @config_option
    @json_option
    def list_credentials(tenant: str, config_path: str | None, as_json: bool) -> None:
        """Show credentials, without their values."""

        async def work(vault: OpenedVault) -> list[StoredCredential]:
            return await vault.manage.all(local_operator(), tenant)

        found = opened(open_vault, config_path, work)
        if as_json:
            click.echo(json.dumps([credential_object(row) for row in found], indent=2))
        else:
            _print_table(found)

    return list_credentials


def _add(open_vault: OpenVault) -> click.Command:
    @click.command("add")
    @click.argument("name")
    @_file_option
    @click.option("--integration", default=DEFAULT_INTEGRATION, show_default=True, help="What it is for.")
    @click.option("--field", default=DEFAULT_FIELD, show_default=True, help="Which of its secrets it is.")
    @tenant_option
    @config_option
    @json_option
    def add(
        name: str,
        file: Path | None,
        integration: str,
        field: str,
        tenant: str,
        config_path: str | None,
        as_json: bool,
    ) -> None:
        """Keep a credential called NAME. A configuration names it as `{credential: NAME}`."""
        value = read_value(file)
        new = NewCredential(tenant_id=tenant, name=name, integration=integration, field=field)

        async def work(vault: OpenedVault) -> StoredCredential:
            return await vault.manage.create(local_operator(), new, value)

        row = opened(open_vault, config_path, work)
        _show(row, as_json, f"{row.name} is kept under {row.key_id}; it is not shown again.")

    return add


def _replace(open_vault: OpenVault) -> click.Command:
    @click.command("replace")
    @click.argument("name")
    @_file_option
    @tenant_option
    @config_option
    @json_option
    def replace(name: str, file: Path | None, tenant: str, config_path: str | None, as_json: bool) -> None:
        """Put a new value in the place of NAME's. Running servers use it within a second."""
        value = read_value(file)

        async def work(vault: OpenedVault) -> StoredCredential:
            found = await _named(vault, name, tenant)
            return await vault.manage.replace(local_operator(), found.credential_id, value, tenant)

        row = opened(open_vault, config_path, work)
        _show(row, as_json, f"{row.name} is of version {row.version} now; the one before is gone.")

    return replace


def _delete(open_vault: OpenVault) -> click.Command:
    @click.command("delete")
    @click.argument("name")
    @tenant_option
    @config_option
    @json_option
    def delete(name: str, tenant: str, config_path: str | None, as_json: bool) -> None:
        """Take NAME out for good. Refused while the configuration uses it."""

        async def work(vault: OpenedVault) -> StoredCredential:
            found = await _named(vault, name, tenant)
            return await vault.manage.delete(local_operator(), found.credential_id, tenant)

        row = opened(open_vault, config_path, work)
        _show(row, as_json, f"{row.name} is gone.")

    return delete


def read_value(file: Path | None) -> SecretBytes:
    """From a file, a pipe, or typed unseen, without one line end at the end. Raises ClickException."""
    if file is not None and str(file) != _STANDARD_INPUT:
        try:
            with file.open("rb") as source:
                content = source.read(SECRET_BYTES_MAX + 2)
        except OSError as error:
            raise click.ClickException(f"{file} cannot be read: {error.strerror or error}") from error
    elif file is None and sys.stdin.isatty():
        typed: str = prompt("Value", hide_input=True, confirmation_prompt=True)
        content = typed.encode()
    else:
        content = sys.stdin.buffer.read(SECRET_BYTES_MAX + 2)
    for end in (b"\r\n", b"\n"):
        if content.endswith(end):
            return SecretBytes(content.removesuffix(end))
    return SecretBytes(content)


async def _named(vault: OpenedVault, name: str, tenant: str) -> StoredCredential:
    found = await vault.manage.named(local_operator(), name, tenant)
    if found is None:
        raise NotFound(f"no credential {name[:80]!r} in tenant {tenant}", param="name")
    return found


def _show(row: StoredCredential, as_json: bool, text: str) -> None:
    click.echo(json.dumps(credential_object(row), indent=2) if as_json else text)


def _print_table(rows: list[StoredCredential]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        click.echo("no credential is kept")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("NAME", "INTEGRATION", "FIELD", "VERSION", "KEY", "UPDATED", "CREDENTIAL ID"):
        table.add_column(title, overflow="fold", no_wrap=title in {"NAME", "UPDATED"})
    for row in rows:
        updated = f"{row.updated_at:%Y-%m-%d %H:%M} UTC"
        shown: list[Any] = [row.name, row.integration, row.field, str(row.version), row.key_id, updated]
        table.add_row(*shown, row.credential_id)
    # A pipe has no width of its own; rows are then left whole for whoever reads them.
    Console(width=None if sys.stdout.isatty() else 220).print(table)
