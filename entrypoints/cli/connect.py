"""`interchange connect`: points a coding agent at this server, and back again."""

import json
import os
import platform
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import click

from entrypoints.cli.api_client import ApiClient, server_options
from entrypoints.cli.api_client import connect as reach
from entrypoints.cli.configured import config_option
from entrypoints.clients.connection import (
    Plan,
    Step,
    is_connected,
    key_id_of,
    steps_of,
    undo_steps,
)
from entrypoints.clients.connection import connect as write_connection
from entrypoints.clients.connection import undo as write_undo
from entrypoints.clients.edits import MISSING, CannotEdit
from entrypoints.clients.known import (
    CLIENTS,
    CURSOR_BACK,
    CURSOR_STEPS,
    CURSOR_TOOLS,
    KEY_VARIABLE,
    KnownClient,
    Wish,
)
from entrypoints.clients.shown import diff_of

CURSOR: Final = "cursor"
PLACEHOLDER: Final = "the-key-that-will-be-made"


@click.command()
@click.argument("client", type=click.Choice((*CLIENTS, CURSOR)))
@click.option("--undo", "undoing", is_flag=True, help="Put back what was there before.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--tools", is_flag=True, help="Give it the tools of integrations too, over MCP.")
@click.option("--model", help="The route or model it shall ask for. Default: it keeps its own.")
@click.option(
    "--auth",
    "proof",
    type=click.Choice(("token", "helper", "command", "env")),
    help="How it gets the key. Claude Code: token (default) or helper; Codex: command (default) or env.",
)
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON; asks nothing.")
def connect(
    client: str,
    undoing: bool,
    dry_run: bool,
    yes: bool,
    tools: bool,
    model: str | None,
    proof: str | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Point CLIENT at this server by editing its own configuration file; --undo takes that back.

    Shows the difference first and asks. Without --key, a key with the role `agent` is made for it, which
    --undo revokes. Keys are never shown.
    """
    if as_json and client != CURSOR and not (yes or dry_run):
        raise click.UsageError("--json asks nothing, so it needs --yes or --dry-run")
    try:
        if client == CURSOR:
            _cursor(undoing, tools, model, config_path, url, key, as_json)
        elif undoing:
            _undo(CLIENTS[client], dry_run, yes, as_json, config_path, url, key)
        else:
            _connect(client, tools, model, proof, dry_run, yes, as_json, config_path, url, key)
    except CannotEdit as error:
        raise click.ClickException(str(error)) from error


def _cursor(
    undoing: bool,
    tools: bool,
    model: str | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    if undoing:
        lines: Sequence[str] = CURSOR_BACK
    else:
        address = url.rstrip("/") if url else reach(config_path, url, key or "unused").url
        steps = (*CURSOR_STEPS, *(CURSOR_TOOLS if tools else ()))
        lines = [line.format(url=address, model=model or "the name of a route") for line in steps]
    click.echo(
        json.dumps({"client": CURSOR, "steps": list(lines)}, indent=2) if as_json else "\n".join(lines)
    )


def _connect(
    client: str,
    tools: bool,
    model: str | None,
    proof: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    config_path: str | None,
    url: str | None,
    key: str | None,
) -> None:
    known = CLIENTS[client]
    chosen = proof or known.proofs[0]
    if chosen not in known.proofs:
        raise click.UsageError(
            f"--auth {chosen} is not for {known.title}; allowed: {', '.join(known.proofs)}"
        )
    if url is not None and key is None:
        # The owner's key of this machine is nobody else's business.
        raise click.UsageError("--url needs --key: a key of that server")
    server = reach(config_path, url, key)
    _check_address(server.url)
    file = known.file(os.environ)
    given = key or _key_in_use(known, server.url, chosen)
    wish = Wish(server.url, given or PLACEHOLDER, model, chosen, tools=tools)
    plan = known.plan(wish, file)
    steps = steps_of(plan)
    by_hand = ""
    if tools and known.tools_by_hand:
        by_hand = "\n" + "\n".join(known.tools_by_hand).format(url=server.url)
    if not steps:
        _tell(
            as_json,
            known,
            plan,
            [],
            "already_connected",
            f"{known.title} is connected already; nothing to do{by_hand}",
        )
        return
    if not as_json:
        click.echo(diff_of(steps, plan.secret), nl=False)
    if dry_run:
        _tell(as_json, known, plan, steps, "dry_run", f"nothing was changed{by_hand}")
        return
    if not yes:
        click.confirm(f"Change {'these files' if len(steps) > 1 else 'this file'}?", abort=True)
    if given is None and chosen != "env":
        plan = known.plan(_with_new_key(wish, server, client), file)
        steps = steps_of(plan)
    write_connection(plan, steps)
    said = f"{known.title} is connected to {server.url}; {known.next_step}"
    said += f"\nto take it back: interchange connect {client} --undo"
    if chosen == "env":
        said += f"\nset {KEY_VARIABLE} to a key in the environment that {known.title} runs in"
    _tell(as_json, known, plan, steps, "connected", said + by_hand)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.path.strip("/") or parts.query:
        raise click.ClickException(f"--url must be an address without user, path or query, not {url}")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        click.echo(f"warning: {url} is not https; keys travel there in plain text", err=True)


def _key_in_use(known: KnownClient, url: str, proof: str) -> str | None:
    """The key of an earlier connection to the same address, so that repeating it changes nothing."""
    from entrypoints.clients.connection import read_text

    file = known.file(os.environ)
    text = read_text(file)
    if text is None or not is_connected(file):
        return None
    plan = known.plan(Wish(url, PLACEHOLDER, None, proof), file)
    for path, value in plan.settings:
        found = plan.text_format.get(text, path)
        if value == PLACEHOLDER and isinstance(found, str):
            return found
        if found is MISSING or (value != PLACEHOLDER and found != value):
            return None
    kept = None if plan.key_file is None else read_text(plan.key_file)
    return None if kept is None else kept.strip() or None


def _with_new_key(wish: Wish, server: ApiClient, client: str) -> Wish:
    """Raises click.ClickException when the server does not make one."""
    name = f"{client} on {platform.node() or 'this machine'}"[:100]
    body = {"tenant_id": "default", "name": name, "role": "agent"}
    made = server.call("POST", "/api/v1/keys", body)
    return wish._replace(key=made["key"], key_id=made["key_id"])


def _undo(
    known: KnownClient,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    config_path: str | None,
    url: str | None,
    key: str | None,
) -> None:
    file = known.file(os.environ)
    steps, left = undo_steps(file, known.text_format)
    key_id = key_id_of(file)
    if not as_json:
        click.echo(diff_of(steps, None), nl=False)
        for path in left:
            click.echo(f"{path} was changed since, so it stays as it is", err=True)
    if dry_run:
        _tell(as_json, known, None, steps, "dry_run", "nothing was changed")
        return
    if not yes:
        click.confirm("Put this back?", abort=True)
    write_undo(file, steps)
    said = f"{known.title} is as it was before"
    if key_id:
        said += "; " + _revoked(key_id, config_path, url, key)
    _tell(as_json, known, None, steps, "undone", said)


def _revoked(key_id: str, config_path: str | None, url: str | None, key: str | None) -> str:
    try:
        reach(config_path, url, key).call("DELETE", f"/api/v1/keys/{key_id}")
    except click.ClickException:
        return f"the server could not be told to revoke its key: interchange keys revoke {key_id}"
    return f"its key {key_id} is revoked"


def _tell(
    as_json: bool, known: KnownClient, plan: Plan | None, steps: Sequence[Step], outcome: str, said: str
) -> None:
    if not as_json:
        click.echo(said)
        return
    told: dict[str, Any] = {
        "client": known.title,
        "outcome": outcome,
        "files": [str(step.file) for step in steps],
        "key_id": plan.key_id if plan is not None else "",
        "diff": diff_of(steps, None if plan is None else plan.secret),
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))
