"""Logging in from a command (RFC 8252): the browser comes back to a port of this machine, with a code."""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import click

from entrypoints.cli.api_client import ApiClient
from entrypoints.cli.issuer_client import asked_of, check_safe, redeemed
from entrypoints.cli.kept_tokens import KeptToken

WAIT_S: Final = 300.0
_PAGE: Final = (
    b"<!doctype html><meta charset=utf-8><title>Interchange</title>"
    b"<p>You are logged in. You can close this page and go back to the command line.</p>"
)


class _Provider(NamedTuple):
    issuer: str
    authorization_url: str
    token_url: str
    names_itself: bool


def log_in(server: ApiClient, show: Callable[[str], None], *, wait_s: float = WAIT_S) -> KeptToken:
    """Sends the user to the server's issuer and waits. `show` gets the address to open.

    Raises click.ClickException: nobody came back, or not from this login.
    """
    told: dict[str, Any] = server.call("GET", "/auth/cli")
    provider = _provider(told["issuer"])
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with _Listener(state) as listener:
        asked = {
            "response_type": "code",
            "client_id": told["client_id"],
            "redirect_uri": listener.url,
            "scope": " ".join(told["scopes"]),
            "state": state,
            "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **{name: told[name] for name in ("resource", "audience") if told.get(name)},
        }
        if "offline_access" in told["scopes"]:
            asked["prompt"] = "consent"
        joint = "&" if "?" in provider.authorization_url else "?"
        show(provider.authorization_url + joint + urlencode(asked))
        answer = listener.wait(wait_s)
        if answer.get("iss", "") != provider.issuer and (answer.get("iss") or provider.names_itself):
            raise click.ClickException("the answer came from another identity provider")
        if "code" not in answer:
            raise click.ClickException(f"the login did not succeed: {answer.get('error', 'no code')[:80]}")
        fields = {
            "grant_type": "authorization_code",
            "client_id": told["client_id"],
            "code": answer["code"],
            "redirect_uri": listener.url,
            "code_verifier": verifier,
            **({"resource": told["resource"]} if told.get("resource") else {}),
        }
    return redeemed(provider.token_url, fields, "")


def _provider(issuer: str) -> _Provider:
    """Raises click.ClickException for an issuer whose word cannot be taken."""
    said = asked_of("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration", None)
    if said.get("issuer") != issuer:
        raise click.ClickException(f"{issuer} says that it is another issuer")
    found = [said.get(name) for name in ("authorization_endpoint", "token_endpoint")]
    for url in found:
        check_safe(str(url))
    names_itself = said.get("authorization_response_iss_parameter_supported") is True
    return _Provider(issuer, str(found[0]), str(found[1]), names_itself)


class _Listener:
    """A port of this machine that takes one answer to one login."""

    def __init__(self, state: str) -> None:
        found: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            timeout = 5.0

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                ours = parts.path == "/callback" and all(len(values) == 1 for values in query.values())
                shown = query.get("state", [""])[0]
                if not ours or found or not compare_digest(shown.encode(), state.encode()):
                    self.send_error(404)
                    return
                found.update({name: values[0] for name, values in query.items()})
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-security-policy", "default-src 'none'")
                self.send_header("referrer-policy", "no-referrer")
                self.end_headers()
                self.wfile.write(_PAGE)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing: the line would hold the code."""

        self._found = found
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/callback"

    def __enter__(self) -> "_Listener":
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.server_close()

    def wait(self, wait_s: float) -> dict[str, str]:
        """The answer to this login; others are turned away. Raises click.ClickException when none comes."""
        gives_up_at = time.monotonic() + wait_s
        while not self._found:
            left_s = gives_up_at - time.monotonic()
            if left_s <= 0:
                raise click.ClickException("nobody came back from the identity provider in time")
            self._server.timeout = min(left_s, 1.0)
            self._server.handle_request()
        return self._found
