"""What `interchange credentials` does about the whole vault: its keys, rotation, and checking it."""

import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import click

from domain.tenancy.role import local_operator
from domain.vault.manifest import Finding
from domain.vault.rotation import Rotation, RotationKind
from entrypoints.cli.configured import config_option
from entrypoints.http.credentials import rotation_object, status_object
from entrypoints.vaulting import OpenedVault

Run = Callable[[Any, str | None, Callable[[OpenedVault], Coroutine[Any, Any, Any]]], Any]
_NOT_WHOLE: Final = 1

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def vault_commands(open_vault: Any, opened: Run) -> Iterable[click.Command]:
    """`rotate`, `keys`, `retire`, `verify` and `accept`."""
    yield _rotate(open_vault, opened)
    yield _keys(open_vault, opened)
    yield _retire(open_vault, opened)
    yield _verify(open_vault, opened)
    yield _accept(open_vault, opened)


def _rotate(open_vault: Any, opened: Run) -> click.Command:
    @click.command("rotate")
    @click.option("--data-keys", is_flag=True, help="Keep the master key; seal everything anew under it.")
    @click.option("--schedule", is_flag=True, help="Only when `vault.rotate_every_days` says it is time.")
    @config_option
    @_json_option
    def rotate(data_keys: bool, schedule: bool, config_path: str | None, as_json: bool) -> None:
        """Turn the keys while servers run. One that was interrupted goes on where it was.

        A new master key is made where its source makes keys; with keys from the environment or AWS KMS, put
        the new one first there, then rotate.
        """

        async def work(vault: OpenedVault) -> Rotation | None:
            rotation = vault.vaulting.rotate
            if await rotation.unfinished() is None:
                if schedule:
                    if await rotation.begin_if_due(vault.rotate_every_days) is None:
                        return None
                else:
                    kind = RotationKind.DATA if data_keys else RotationKind.MASTER
                    await rotation.begin(local_operator(), kind)
            with _Bar(shown=not as_json) as bar:
                return await rotation.run(bar.update)

        done: Rotation | None = opened(open_vault, config_path, work)
        if as_json:
            click.echo(json.dumps(None if done is None else rotation_object(done), indent=2))
        elif done is None:
            click.echo("it is not time yet")
        else:
            click.echo(f"{done.done} credentials are under new keys.")
        if done is not None and done.failed:
            click.echo(f"{done.failed} do not open and were left as they are; see verify.", err=True)
            raise click.exceptions.Exit(_NOT_WHOLE)

    return rotate


def _keys(open_vault: Any, opened: Run) -> click.Command:
    @click.command("keys")
    @config_option
    @_json_option
    def keys(config_path: str | None, as_json: bool) -> None:
        """Show the master keys by name, and how many credentials are under each."""

        async def work(vault: OpenedVault) -> Any:
            return status_object(await vault.vaulting.rotate.status(local_operator()))

        status = opened(open_vault, config_path, work)
        if as_json:
            click.echo(json.dumps(status, indent=2))
            return
        for key in status["keys"]:
            role = "seals" if key["primary"] else "opens" if key["here"] else "IS NOT HERE"
            since = "" if key["made_at"] is None else f", made {key['made_at'][:10]}"
            click.echo(f"{key['key_id']}: {role}, {key['credentials']} credentials{since}")

    return keys


def _retire(open_vault: Any, opened: Run) -> click.Command:
    @click.command("retire")
    @click.argument("key_id")
    @config_option
    def retire(key_id: str, config_path: str | None) -> None:
        """Drop the master key KEY_ID for good. Refused while anything is under it.

        Backups from before the rotation do not open without it: keep a copy as long as those.
        """

        async def work(vault: OpenedVault) -> None:
            await vault.vaulting.rotate.retire(local_operator(), key_id)

        opened(open_vault, config_path, work)
        click.echo(f"{key_id} is gone.")

    return retire


def _verify(open_vault: Any, opened: Run) -> click.Command:
    @click.command("verify")
    @config_option
    @_json_option
    def verify(config_path: str | None, as_json: bool) -> None:
        """Open every credential and compare all of them with their signed lists. Exit status 1: not whole."""

        async def work(vault: OpenedVault) -> list[Finding]:
            return await vault.vaulting.vault.check(deep=True)

        findings = opened(open_vault, config_path, work)
        if as_json:
            click.echo(json.dumps({"findings": [finding._asdict() for finding in findings]}, indent=2))
        else:
            for finding in findings:
                click.echo(f"{finding.code}: {finding.message}")
            if not findings:
                click.echo("every credential opens and is listed.")
        if findings:
            raise click.exceptions.Exit(_NOT_WHOLE)

    return verify


def _accept(open_vault: Any, opened: Run) -> click.Command:
    @click.command("accept")
    @click.option("--yes", is_flag=True, help="Do not ask before.")
    @config_option
    def accept(yes: bool, config_path: str | None) -> None:
        """Sign the credentials that are there from now on, as after a restored backup."""
        if not yes:
            click.confirm("Whatever is missing or was put back is accepted for good. Go on?", abort=True)

        async def work(vault: OpenedVault) -> int:
            return await vault.vaulting.vault.accept()

        accepted = opened(open_vault, config_path, work)
        click.echo(f"the lists of {accepted} tenants were signed anew.")

    return accept


class _Bar:
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> "_Bar":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("sealing anew"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=console, disable=not (self._shown and console.is_terminal)
        )
        self._progress.start()
        self._task = self._progress.add_task("rotate", total=None)
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def update(self, rotation: Rotation) -> None:
        done = rotation.done + rotation.failed
        self._progress.update(self._task, total=max(rotation.total, done), completed=done)
