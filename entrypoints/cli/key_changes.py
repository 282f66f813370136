"""`interchange keys show`, `rotate` and `update`: one key, and what becomes of it."""

import json
from datetime import datetime
from typing import Any

import click

from application.use_cases.change_keys import KeyUseCases, RotatedKey
from domain.tenancy.key import KeyRecord
from domain.tenancy.key_rotation import OVERLAP_DEFAULT_S
from domain.tenancy.role import local_operator
from entrypoints.cli.key_options import (
    OpenUseCases,
    binding_options,
    expiry,
    json_option,
    run_with,
    seconds_of,
)
from entrypoints.key_objects import key_object

_ALL = "all"
_NEVER = "never"
_NAMED = (
    ("scopes", "scope"),
    ("allowed_models", "model"),
    ("assertable", "may-name"),
    ("integrations", "integration"),
    ("managed_budgets", "budget-managed"),
)


def show_command(open_use_cases: OpenUseCases) -> click.Command:
    """`show`."""

    @click.command("show")
    @click.argument("key_id")
    def show(key_id: str) -> None:
        """Show the key KEY_ID as JSON, without its secret."""

        async def work(use_cases: KeyUseCases) -> tuple[KeyRecord, datetime]:
            return await use_cases.show(local_operator(), key_id), use_cases.clock.utc_now()

        record, now = run_with(open_use_cases, work)
        click.echo(json.dumps(key_object(record, now), indent=2))

    return show


def rotate_command(open_use_cases: OpenUseCases) -> click.Command:
    """`rotate`."""

    @click.command("rotate")
    @click.argument("key_id")
    @click.option(
        "--overlap",
        default=f"{OVERLAP_DEFAULT_S // 3600}h",
        show_default=True,
        help="How long the old secret works beside the new one: 30m, 24h, 7d; 0 ends it at once.",
    )
    @json_option
    def rotate(key_id: str, overlap: str, as_json: bool) -> None:
        """Give the key KEY_ID another secret. It is shown this once."""

        async def work(use_cases: KeyUseCases) -> RotatedKey:
            return await use_cases.rotate(local_operator(), key_id, seconds_of(overlap, "--overlap"))

        rotated = run_with(open_use_cases, work)
        old = rotated.record.old_secret
        until = None if old is None else old.until.isoformat()
        if as_json:
            told = {"key_id": key_id, "key": rotated.key, "old_secret_until": until}
            click.echo(json.dumps(told, indent=2))
            return
        ending = "the old secret has ended" if until is None else f"the old secret works until {until}"
        click.echo(f"another secret of key {key_id}, shown this once; {ending}:", err=True)
        click.echo(rotated.key)

    return rotate


def change_command(open_use_cases: OpenUseCases) -> click.Command:
    """`update`."""

    @click.command("update")
    @click.argument("key_id")
    @click.option("--name")
    @click.option("--role")
    @click.option("--scope", "scopes", multiple=True, metavar="PERMISSION", help="May be repeated.")
    @click.option("--model", "allowed_models", multiple=True, help="May be repeated.")
    @click.option("--expires", help="When: 12h, 90d, 2030-01-31, 2030-01-31T12:00:00Z, or never.")
    @click.option("--team")
    @click.option("--project")
    @click.option("--cost-center")
    @binding_options
    @json_option
    def update(key_id: str, expires: str | None, as_json: bool, **given: Any) -> None:
        """Change what the key KEY_ID may do; what is not named stays.

        Lists are replaced whole; `all` alone takes a limit away.
        """
        changes = _changes(given)

        async def work(use_cases: KeyUseCases) -> tuple[KeyRecord, datetime]:
            now = use_cases.clock.utc_now()
            if expires is not None:
                changes["expires_at"] = None if expires == _NEVER else expiry(expires, now)
            return await use_cases.change(local_operator(), key_id, changes), now

        record, now = run_with(open_use_cases, work)
        if as_json:
            click.echo(json.dumps(key_object(record, now), indent=2))
        else:
            click.echo(f"{record.key_id} ({record.name}, tenant {record.tenant_id}) is changed.")

    return update


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """What was named on the command line, as the use case wants it."""
    found = {
        name: given[name]
        for name in ("name", "role", "team", "project", "cost_center")
        if given[name] is not None
    }
    for name, option in _NAMED:
        values: tuple[str, ...] = given[name]
        if _ALL in values and len(values) > 1:
            raise click.UsageError(f"--{option} {_ALL} stands alone")
        if values:
            found[name] = None if values == (_ALL,) else frozenset(values)
    if given["networks"]:
        found["networks"] = () if given["networks"] == (_ALL,) else given["networks"]
    return found
