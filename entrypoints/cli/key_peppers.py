"""`interchange keys pepper`: what secrets are hashed with, and turning it."""

import json

import click

from application.use_cases.change_keys import KeyUseCases
from application.use_cases.turn_peppers import PepperStanding
from entrypoints.cli.key_options import OpenUseCases, json_option, run_with


def pepper_group(open_use_cases: OpenUseCases) -> click.Group:
    """`pepper show`, `rotate` and `drop`."""

    @click.group("pepper")
    def pepper() -> None:
        """What the secrets of keys are hashed with; without it a stolen database is of no use."""

    @pepper.command("show")
    @json_option
    def show(as_json: bool) -> None:
        """Show how many secrets of live keys hang on which pepper."""
        standings = run_with(open_use_cases, _standings)
        if as_json:
            click.echo(json.dumps([standing._asdict() for standing in standings], indent=2))
            return
        for standing in standings:
            click.echo(f"pepper {standing.version}: {standing.secrets} secrets{_told(standing)}")

    @pepper.command("rotate")
    def rotate() -> None:
        """Make another pepper. Running servers hash with it within a second; keys move to it when used."""

        async def work(use_cases: KeyUseCases) -> int:
            return await use_cases.peppers.turn()

        click.echo(f"pepper {run_with(open_use_cases, work)} hashes from now on; older ones still check.")

    @pepper.command("drop")
    @click.argument("version", type=int)
    def drop(version: int) -> None:
        """Forget the pepper VERSION for good. Refused while a live key hangs on it."""

        async def work(use_cases: KeyUseCases) -> None:
            await use_cases.peppers.drop(version)

        run_with(open_use_cases, work)
        click.echo(f"pepper {version} is gone.")

    return pepper


async def _standings(use_cases: KeyUseCases) -> list[PepperStanding]:
    return await use_cases.peppers.standings()


def _told(standing: PepperStanding) -> str:
    if not standing.known:
        return ", which is not known here: these keys let nobody in"
    return ", hashes new secrets" if standing.hashing else ""
