"""What commands ask of identity providers: their description, and tokens."""

import json
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import click

from domain.egress.addresses import is_this_machine
from entrypoints.cli.kept_tokens import KeptToken
from entrypoints.cli.tls_connection import connection_to

ASK_S: Final = 20.0
ANSWER_BYTES_MAX: Final = 256 * 1024
EARLY_S: Final = 60.0
"""So long before a token ends another one is asked for."""


def fresh(token: KeptToken, now_s: float) -> KeptToken | None:
    """The token, or the one that took its place because it ends soon; None: log in again."""
    if now_s < token.expires_at_s - EARLY_S:
        return token
    if not token.refresh_token:
        return token if now_s < token.expires_at_s else None
    fields = {
        "grant_type": "refresh_token",
        "client_id": token.client_id,
        "refresh_token": token.refresh_token,
    }
    try:
        return redeemed(token.token_url, fields, token.refresh_token)
    except click.ClickException:
        return token if now_s < token.expires_at_s else None


def redeemed(token_url: str, fields: Mapping[str, str], refresh_token: str) -> KeptToken:
    """What a code or a refresh token is changed for; the old refresh token where there is no new one."""
    form = urlencode(fields).encode()
    answer = asked_of("POST", token_url, form)
    value, lasts_s = answer.get("access_token"), answer.get("expires_in", 300)
    if not isinstance(value, str) or not isinstance(lasts_s, int | float):
        raise click.ClickException("the identity provider gave no token")
    now_s = time.time()
    return KeptToken(
        access_token=value,
        refresh_token=str(answer.get("refresh_token") or refresh_token),
        expires_at_s=now_s + float(lasts_s),
        token_url=token_url,
        client_id=fields["client_id"],
    )


def check_safe(url: str) -> None:
    """Codes and tokens travel there. Raises click.ClickException."""
    parts = urlsplit(url)
    near = parts.scheme == "http" and is_this_machine(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or near):
        raise click.ClickException("the identity provider must be reached by https")


def asked_of(method: str, url: str, form: bytes | None) -> dict[str, Any]:
    """The JSON object of an answer. Follows no redirects."""
    check_safe(url)
    parts = urlsplit(url)
    connection = connection_to(url, ASK_S)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"accept": "application/json"}
    if form is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, body=form, headers=headers)
        response = connection.getresponse()
        said = json.loads(response.read(ANSWER_BYTES_MAX))
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(
            f"the identity provider cannot be asked ({type(error).__name__})"
        ) from None
    finally:
        connection.close()
    if response.status != 200 or not isinstance(said, dict):
        code = str(said.get("error", ""))[:80] if isinstance(said, dict) else ""
        raise click.ClickException(f"the identity provider answered {response.status} {code}".strip())
    return said
