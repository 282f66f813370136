"""Forged tokens, over HTTP: the whole way from a socket to the answer. Each is 401, and says little.

How each part of a token is checked is proven in `tests/unit/identity`; here the server stands behind it, with
an issuer whose keys are fetched over a real connection.
"""

import hmac
import json
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.security.tenant_world import CONFIG
from tests.unit.identity.world import AUDIENCE, EC, RSA, SECOND_RSA, claims, part, public, signed

asked_for: list[str] = []


class Keys(BaseHTTPRequestHandler):
    """Publishes the issuer's keys, and notes who asks for what."""

    def do_GET(self) -> None:
        asked_for.append(self.path)
        body = json.dumps({"keys": [public(RSA, "one"), public(EC, "ec")]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_given: Any) -> None:
        return None


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def target(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    config = (
        CONFIG
        + f"""
auth: {{failures_per_minute: 100000}}
tenants: {{acme: {{}}}}
identity:
  issuers:
    - issuer: "{issuer}"
      jwks_url: "{issuer}/keys"
      audiences: ["{AUDIENCE}"]
      algorithms: [RS256]
      tenant: acme
      roles: {{devs: developer}}
"""
    )
    with Stack(tmp_path_factory.mktemp("tokens"), config) as stack:
        yield stack


def said(issuer: str, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    return claims(**{"iss": issuer, "iat": now, "exp": now + 3600, **changed})


def shown(target: Stack, token: str) -> httpx.Response:
    return httpx.get(f"{target.url}/api/v1/key", headers={"authorization": f"Bearer {token}"}, timeout=10)


def with_secret(issuer: str, secret: bytes, algorithm: str = "HS256") -> str:
    content = f"{part({'alg': algorithm, 'kid': 'one', 'typ': 'at+jwt'})}.{part(said(issuer))}"
    return f"{content}.{part(hmac.new(secret, content.encode(), sha256).digest())}"


def forged(issuer: str) -> dict[str, str]:
    """By what was forged."""
    good = signed(said(issuer))
    head, payload, signature = good.split(".")
    endless = json.dumps(said(issuer)).replace('"exp": ', '"exp": 1e999, "x": ')
    pem = RSA.as_pem(private=False)
    own_key = {"alg": "RS256", "jwk": public(SECOND_RSA, "one")}
    found = {
        "no signature": f"{head}.{payload}.",
        "alg none": f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(said(issuer))}.",
        "alg nOnE": f"{part({'alg': 'nOnE', 'typ': 'at+jwt'})}.{part(said(issuer))}.{signature}",
        "the public key as a secret": with_secret(issuer, pem),
        "the public key as a secret, trimmed": with_secret(issuer, pem.strip()),
        "the public key as a secret, HS512": with_secret(issuer, pem, "HS512"),
        "an empty secret": with_secret(issuer, b""),
        "an algorithm the issuer does not use": signed(said(issuer), key=EC, alg="ES256", kid="ec"),
        "another key": signed(said(issuer), key=SECOND_RSA),
        "a key of its own": signed(said(issuer), key=SECOND_RSA, **own_key),
        "keys elsewhere": signed(said(issuer), jku=f"{issuer}/mine", x5u=f"{issuer}/mine"),
        "a key id that is a path": signed(said(issuer), kid="../../../../etc/passwd"),
        "a key id that is SQL": signed(said(issuer), kid="' OR 1=1 --"),
        "padding": f"{good}==",
        "JSON form": json.dumps({"payload": payload, "signatures": []}),
        "four parts": f"{good}.{signature}",
        "a claim twice": signed(json.dumps(said(issuer))[:-1].encode() + b', "sub": "root"}'),
        "long past": signed(said(issuer, iat=1_600_000_000, exp=1_600_003_600)),
        "not yet": signed(said(issuer, nbf=int(time.time()) + 7200)),
        "no end": signed(said(issuer, exp=None)),
        "an end that is text": signed(said(issuer, exp="9999999999")),
        "an end past all numbers": signed(endless.encode()),
        "another audience": signed(said(issuer, aud="https://elsewhere.example")),
        "another issuer": signed(said("http://127.0.0.1:9")),
        "an issuer with a slash": signed(said(f"{issuer}/")),
        "no subject": signed(said(issuer, sub=None)),
        "an ID token": signed(said(issuer), typ="id+jwt"),
        "no role": signed(said(issuer, roles=["others"])),
        "too long": signed(said(issuer, more="x" * 20_000)),
        "a changed claim": f"{head}.{part(said(issuer, sub='root'))}.{signature}",
    }
    for place in (0, len(signature) // 2, len(signature) - 1):
        other = "A" if signature[place] != "A" else "B"
        found[f"a changed signature at {place}"] = (
            f"{head}.{payload}.{signature[:place]}{other}{signature[place + 1 :]}"
        )
    return found


def test_a_good_token_lets_in_and_none_that_is_forged_from_it(target: Stack, issuer: str) -> None:
    """In this order: what was just checked must not vouch for what looks like it."""
    good = signed(said(issuer))
    assert shown(target, good).json()["data"]["role"] == "developer"

    for what, token in forged(issuer).items():
        answer = shown(target, token)
        assert answer.status_code in (401, 403), (what, answer.text)
        assert answer.status_code == 401 or what == "no role", what
        assert answer.json()["error"]["code"] in ("invalid_token", "invalid_api_key", "forbidden"), what
        assert "Traceback" not in answer.text and "joserfc" not in answer.text

    assert shown(target, good).status_code == 200
    assert set(asked_for) == {"/keys"}, "an address in a token was asked"


def test_a_token_that_begins_like_another_is_another(target: Stack, issuer: str) -> None:
    """The incident behind it: a cache of checked tokens by their first twenty characters."""
    tokens = [signed(said(issuer, sub=name)) for name in ("alice", "bob")]
    assert tokens[0][:60] == tokens[1][:60]

    labels = {shown(target, token).json()["data"]["label"] for token in tokens}
    assert labels == {"alice", "bob"}


def test_after_all_of_it_the_owner_is_let_in(target: Stack) -> None:
    assert shown(target, target.key).status_code == 200
