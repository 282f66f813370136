"""`interchange limits`: how many requests and tokens are let through, of whom.

Without `--url` and `--key` it works on the stores of this machine; running servers follow within a second.
Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from domain.limits.limit import CALENDAR_PERIODS, OF_LIMITS, PERIOD_S
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option, load_or_exit
from entrypoints.cli.limit_source import LimitSource, OpenLimits, ServerLimits, Shown, limits_of_stores
from entrypoints.limit_objects import body_of

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_AMOUNTS = ("requests", "tokens", "burst", "burst_tokens")


def make_group(open_limits: OpenLimits) -> click.Group:
    """The group `limits`. Stores are opened when a command runs, and closed after it."""

    @click.group(name="limits")
    def limits() -> None:
        """Limit requests and tokens, and see how that stands."""

    @contextmanager
    def source(config_path: str | None, url: str | None, key: str | None) -> Iterator[LimitSource]:
        if url is not None or key is not None:
            yield ServerLimits(connect(config_path, url, key))
            return
        with limits_of_stores(open_limits, load_or_exit(config_path)) as stored:
            yield stored

    for make in (_list, _show, _set, _delete):
        limits.add_command(make(source))
    return limits


def _list(source: Any) -> click.Command:
    @click.command("list")
    @click.option("--tenant", help="Only limits of this tenant.")
    @config_option
    @server_options
    @_json_option
    def list_limits(
        tenant: str | None, config_path: str | None, url: str | None, key: str | None, as_json: bool
    ) -> None:
        """Show rate limits and quotas."""
        with source(config_path, url, key) as limits:
            found = limits.all(tenant)
        if as_json:
            _print_json(found)
            return
        if not found:
            click.echo("no rate limits")
            return
        _print_table([("NAME", "LIMIT", "SCOPE", "OWNER", "ID"), *(_row(each) for each in found)])

    return list_limits


def _show(source: Any) -> click.Command:
    @click.command("show")
    @click.argument("limit")
    @config_option
    @server_options
    @_json_option
    def show(limit: str, config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
        """Show LIMIT (an id, or a name only one has). A server also tells how those stand who met it."""
        with source(config_path, url, key) as limits:
            found = limits.one(_one_of(limits.all(None), limit)["limit_id"])
        if as_json:
            _print_json(found)
            return
        for name, value in zip(("name", "limit", "scope", "owner", "id"), _row(found), strict=True):
            click.echo(f"{name:<6} {value}")
        standings = [
            (each["subject"] or "-", each["counts"], str(each["remaining"]), f"{each['reset_s']} s")
            for each in found["accounts"]
        ]
        if standings:
            _print_table([("SUBJECT", "COUNTS", "REMAINING", "FULL IN"), *standings])

    return show


def _set(source: Any) -> click.Command:
    @click.command("set")
    @click.argument("limit")
    @click.option("--requests", type=int, help="Requests per period; 0 for none.")
    @click.option("--tokens", type=int, help="Input and output tokens per period; 0 for none.")
    @click.option("--per", type=click.Choice([*PERIOD_S, *CALENDAR_PERIODS[2:]]))
    @click.option("--burst", type=int, help="Requests that may come at once; 0: one period's.")
    @click.option("--burst-tokens", type=int, help="Tokens that may come at once; 0: one period's.")
    @click.option("--calendar/--sliding", default=None, help="A quota per calendar period, or a rate.")
    @click.option("--time-zone", help="IANA name; says when a calendar period begins.")
    @click.option(
        "--scope",
        "scopes",
        multiple=True,
        metavar="DIMENSION=VALUE",
        help="Whose requests count; * for each. May be repeated. Default: tenant=default. Dimensions: "
        + ", ".join(each.value for each in OF_LIMITS),
    )
    @config_option
    @server_options
    @_json_option
    def set_limit(
        limit: str, config_path: str | None, url: str | None, key: str | None, as_json: bool, **given: Any
    ) -> None:
        """Make the limit called LIMIT, or change what is given of it (by id or name)."""
        changes = _changes(given)
        with source(config_path, url, key) as limits:
            known = [one for one in limits.all(None) if limit in (one["limit_id"], one["name"])]
            if known:
                old = _one_of(known, limit)
                made, word = limits.replace(old["limit_id"], {**body_of(old), **changes}), "changed"
            else:
                usual = {"name": limit, "scope": {"tenant": OPERATOR_TENANT}, "per": "minute"}
                made, word = limits.create({**usual, **changes}), "made"
        if as_json:
            _print_json(made)
        else:
            click.echo(f"{word} {made['name']} ({made['limit_id']}): {_row(made)[1]}")

    return set_limit


def _delete(source: Any) -> click.Command:
    @click.command("delete")
    @click.argument("limit")
    @config_option
    @server_options
    def delete(limit: str, config_path: str | None, url: str | None, key: str | None) -> None:
        """Remove LIMIT (an id, or a name only one has)."""
        with source(config_path, url, key) as limits:
            found = _one_of(limits.all(None), limit)
            limits.remove(found["limit_id"])
        click.echo(f"removed {found['name']} ({found['limit_id']})")

    return delete


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    changes = {
        name: value
        for name, value in given.items()
        if name not in ("scopes", *_AMOUNTS) and value is not None
    }
    changes |= {name: given[name] or None for name in _AMOUNTS if given[name] is not None}
    if given["scopes"]:
        pairs = [text.partition("=") for text in given["scopes"]]
        if any(not sign or not name for name, sign, _ in pairs):
            raise click.UsageError("--scope is written as dimension=value, such as key=*")
        if len({name for name, _, _ in pairs}) < len(pairs):
            raise click.UsageError("--scope names a dimension twice; one request has one value of each")
        changes["scope"] = {name: value for name, _, value in pairs}
    return changes


def _one_of(found: Sequence[Shown], wanted: str) -> Shown:
    named = [one for one in found if wanted in (one["limit_id"], one["name"])]
    if len(named) == 1:
        return named[0]
    if not named:
        raise click.ClickException(f"no rate limit {wanted!r}")
    ids = ", ".join(one["limit_id"] for one in named)
    raise click.ClickException(f"{len(named)} rate limits are called {wanted!r}: name one by its id ({ids})")


def _row(limit: Shown) -> tuple[str, ...]:
    parts = [f"{limit[name]} {name}" for name in ("requests", "tokens") if limit[name] is not None]
    text = f"{', '.join(parts)} per {'calendar ' if limit['calendar'] else ''}{limit['per']}"
    bursts = [f"{limit[name]}" for name in ("burst", "burst_tokens") if limit[name] is not None]
    text += f" (burst {', '.join(bursts)})" if bursts else ""
    scope = ", ".join(f"{name}={value}" for name, value in limit["scope"].items())
    return limit["name"], text, scope, limit["declared_in"] or limit["owner"], limit["limit_id"]


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
