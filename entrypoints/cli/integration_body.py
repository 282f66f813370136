"""The body of an integration, from a file and from options."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from domain.vault.secret import SecretBytes

_STANDARD_INPUT: Final = "-"
ReadSecret = Callable[[Path | None], SecretBytes]
"""From a file; None: typed unseen, or from a pipe."""


def body_of(given: Mapping[str, Any], read_secret: ReadSecret) -> dict[str, Any]:
    """Without the name. Raises click.UsageError, click.ClickException."""
    body = _from_file(given["file"])
    configuration = _object(body.get("configuration", {}), "configuration")
    authentication = _object(configuration.get("authentication", {}), "configuration.authentication")
    authentication |= said_authentication(given, read_secret)
    for key, value in _pairs(given["settings"], "--set"):
        configuration[key] = _value(value)
    if given["endpoint"] is not None:
        configuration["endpoint"] = given["endpoint"]
    configuration["authentication"] = authentication or {"type": "none"}
    body["configuration"] = configuration
    if given["kind"] is not None:
        body["type"] = given["kind"]
    if given["interval_s"] is not None:
        monitoring = _object(body.get("monitoring", {}), "monitoring")
        body["monitoring"] = {**monitoring, "interval_s": given["interval_s"]}
    body.pop("integration_id", None)
    return body


def said_authentication(given: Mapping[str, Any], read_secret: ReadSecret) -> dict[str, Any]:
    """What `said`, `secret_files` and `secrets` say. Raises click.UsageError, click.ClickException."""
    authentication: dict[str, Any] = dict(_pairs(given["said"], "--auth"))
    for field, value in _pairs(given["secret_files"], "--secret-file"):
        authentication[field] = _text(read_secret(Path(value)), field)
    if len(given["secrets"]) > 1 and not sys.stdin.isatty():
        raise click.UsageError("only one --secret can be piped in; use --secret-file for the others")
    for field in given["secrets"]:
        if sys.stdin.isatty():
            click.echo(f"authentication.{field}", err=True)
        authentication[field] = _text(read_secret(None), field)
    return authentication


def authentication_options(command: Any) -> Any:
    """`--auth`, `--secret` and `--secret-file`."""
    for option in (
        click.option(
            "--secret-file", "secret_files", multiple=True, metavar="FIELD=FILE", help="A secret from a file."
        ),
        click.option(
            "--secret", "secrets", multiple=True, metavar="FIELD", help="Typed unseen, or piped in."
        ),
        click.option(
            "--auth", "said", multiple=True, metavar="FIELD=VALUE", help="Of authentication; repeatable."
        ),
    ):
        command = option(command)
    return command


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = sys.stdin.read() if str(file) == _STANDARD_INPUT else file.read_text(encoding="utf-8")
        return _object(json.loads(text), "the body")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise click.UsageError(f"--file is not valid JSON: {error}") from None


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise click.UsageError(f"{what} must be an object")
    return dict(value)


def _pairs(texts: Iterable[str], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise click.UsageError(f"{option} is written as name=value")
        pairs.append((name, value))
    return pairs


def _value(text: str) -> Any:
    """JSON where it is that, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(secret: SecretBytes, field: str) -> str:
    try:
        return secret.reveal().decode()
    except UnicodeDecodeError:
        raise click.ClickException(f"the secret {field} is not text") from None
