"""Talking to a running server from a command: address, key, one JSON call, clear errors."""

import json
import os
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from entrypoints.cli.configured import load_or_exit
from entrypoints.cli.tls_connection import connection_to
from entrypoints.config.loading import load_settings, sources_to_find
from entrypoints.config.problems import ConfigError
from entrypoints.config.root import Settings
from entrypoints.jobs.ports import reachable_host

TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024


def server_options(command: Any) -> Any:
    """`--url` and `--key`, for servers other than the one on this machine."""
    key = click.option("--key", envvar="INTERCHANGE_API_KEY", help="API key. Default: the admin.key file.")
    url = click.option("--url", envvar="INTERCHANGE_URL", help="Address of the server.")
    return url(key(command))


class NotAnswering(click.ClickException):
    """Nobody answers at the server's address; somebody may later."""


class ApiClient:
    """Calls one server with one key."""

    def __init__(self, url: str, key: str, *, cert_file: str | None = None) -> None:
        """`cert_file`: the certificate of the server on this machine, trusted whatever name is in it."""
        self._cert_file = cert_file
        self.url = url.rstrip("/")
        self.timeout_s = TIMEOUT_S
        """For one call."""
        self._key = key

    @property
    def authorization(self) -> str:
        """The value of the header that proves who calls, for exchanges that are not JSON."""
        return f"Bearer {self._key}"

    def connection(self, timeout_s: float) -> HTTPConnection:
        """A connection to the server, not yet opened.

        Certificates are checked against the machine's authorities and those in INTERCHANGE_CA_FILE.
        """
        return connection_to(self.url, timeout_s, cert_file=self._cert_file)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON. Bytes are sent as they are.

        Raises:
            click.ClickException: nobody answers there, or the answer is an error; the message says which.
        """
        status, text = self._exchange(method, path, body, headers or {})
        try:
            answer = json.loads(text)
        except ValueError:
            raise click.ClickException(f"{self.url}{path} answered {status}, but not with JSON") from None
        if status >= 400:
            raise click.ClickException(_error_text(status, answer))
        return answer

    def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        parts = urlsplit(self.url)
        try:
            connection = self.connection(self.timeout_s)
            try:
                connection.request(
                    method,
                    parts.path + path,
                    body=body if body is None or isinstance(body, bytes) else json.dumps(body),
                    headers={
                        "authorization": f"Bearer {self._key}",
                        "content-type": "application/json",
                        **headers,
                    },
                )
                response = connection.getresponse()
                return response.status, response.read(ANSWER_BYTES_MAX).decode(errors="replace")
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NotAnswering(
                f"no Interchange answers at {self.url} ({reason}); start one with `interchange serve`, "
                "or name another with --url"
            ) from error


def _error_text(status: int, answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        code = f" ({error['code']})" if error.get("code") else ""
        return f"the server answered {status}: {error.get('message', 'no reason given')}{code}"
    return f"the server answered {status}"


def connect(config_path: str | None, url: str | None, key: str | None) -> ApiClient:
    """A client for the named server, or for the one that runs on this machine's data directory.

    Without a key, whoever logged in at a named server calls as that person.

    Raises:
        click.ClickException: there is no key to use.
    """
    if url is not None and key is None and (token := _logged_in(url)) is not None:
        return ApiClient(url, token)
    settings = _settings(config_path)
    running: dict[str, Any] = {}
    if url is None:
        running = read_state(settings.data_dir / "server.json")
        url = running.get("url") or f"http://{reachable_host(settings.server.host)}:{settings.server.port}"
    if key is None:
        try:
            key = settings.key_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise click.ClickException(
                f"no key: {settings.key_file} cannot be read ({error.strerror}); give --key or set "
                "INTERCHANGE_API_KEY, or make a new one with `interchange keys recover`"
            ) from error
    return ApiClient(url, key, cert_file=running.get("cert_file"))


def _logged_in(url: str) -> str | None:
    """The token of a login at this server, renewed where it ends soon; None: nobody is logged in there."""
    from entrypoints.cli.issuer_client import fresh
    from entrypoints.cli.kept_tokens import keep_token, kept_token

    kept = kept_token(url)
    if kept is None:
        return None
    renewed = fresh(kept, time.time())
    if renewed is None:
        raise click.ClickException(f"the login at {url} is over: `interchange login --server {url}`")
    if renewed is not kept:
        keep_token(url, renewed)
    return renewed.access_token


def _settings(config_path: str | None) -> Settings:
    """Enough to find the server: also while the file beside it has errors, which is when one asks most."""
    try:
        return load_settings(os.environ, config_path=config_path).settings
    except ConfigError:
        data = sources_to_find(os.environ, config_path)
        try:
            settings = Settings.model_validate(data)
        except ValidationError:
            return load_or_exit(config_path).settings
    click.echo("warning: the configuration file has errors; see `interchange config check`", err=True)
    return settings


def read_state(path: Path) -> dict[str, Any]:
    """A small JSON file of the supervisor; empty when it is not there or not readable."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
