"""A strict transit engine on loopback: real AES-GCM, versions, associated data, tokens."""

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.token-of-the-vault"


@dataclass
class TransitServer:
    """What was asked, and the versions of one key."""

    base_url: str = ""
    versions: dict[int, bytes] = field(default_factory=lambda: {1: os.urandom(32), 2: os.urandom(32)})
    oldest: int = 1
    sealed: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """One call, refused as the engine refuses."""
        body = await request.json() if request.can_read_body else None
        self.asked.append({"method": request.method, "path": request.path, "body": body})
        if self.sealed:
            return _refused(503, "Vault is sealed")
        if request.headers.get("x-vault-token") != TOKEN:
            return _refused(403, "permission denied")
        operation = request.path.removeprefix("/v1/transit/")
        if operation == "keys/interchange" and request.method == "GET":
            return web.json_response({"data": self._described()})
        if request.method != "POST" or not isinstance(body, dict):
            return _refused(405, "unsupported operation")
        known = {
            "encrypt/interchange": self._encrypt,
            "decrypt/interchange": self._decrypt,
            "keys/interchange/rotate": self._rotate,
            "keys/interchange/config": self._configure,
        }
        if operation not in known:
            return _refused(404, "encryption key not found")
        return known[operation](body)

    def _described(self) -> dict[str, Any]:
        return {
            "type": "aes256-gcm96",
            "latest_version": max(self.versions),
            "min_decryption_version": self.oldest,
            "keys": {str(n): 1_767_225_600 + n for n in self.versions if n >= self.oldest},
        }

    def _encrypt(self, body: dict[str, Any]) -> web.Response:
        version = int(body.get("key_version") or max(self.versions))
        if version not in self.versions or version < self.oldest:
            return _refused(400, "requested version for encryption is not available")
        nonce = os.urandom(12)
        plain, place = (base64.b64decode(body[name]) for name in ("plaintext", "associated_data"))
        text = nonce + AESGCM(self.versions[version]).encrypt(nonce, plain, place)
        said = {"ciphertext": f"vault:v{version}:{base64.b64encode(text).decode()}", "key_version": version}
        return web.json_response({"data": said})

    def _decrypt(self, body: dict[str, Any]) -> web.Response:
        prefix, version, text = (*str(body["ciphertext"]).split(":", 2), "", "")[:3]
        number = int(version.removeprefix("v") or 0) if version.removeprefix("v").isdecimal() else 0
        if prefix != "vault" or number not in self.versions:
            return _refused(400, "invalid ciphertext: no prefix")
        if number < self.oldest:
            return _refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            sealed = base64.b64decode(text, validate=True)
            place = base64.b64decode(body["associated_data"])
            plain = AESGCM(self.versions[number]).decrypt(sealed[:12], sealed[12:], place)
        except (ValueError, InvalidTag):
            return _refused(400, "cipher: message authentication failed")
        return web.json_response({"data": {"plaintext": base64.b64encode(plain).decode()}})

    def _rotate(self, _body: dict[str, Any]) -> web.Response:
        self.versions[max(self.versions) + 1] = os.urandom(32)
        return web.Response(status=204)

    def _configure(self, body: dict[str, Any]) -> web.Response:
        self.oldest = int(body["min_decryption_version"])
        return web.Response(status=204)


def _refused(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=json.dumps({"errors": [text]}), content_type="application/json")


@asynccontextmanager
async def transit_server() -> AsyncIterator[TransitServer]:
    """Runs until it is left."""
    server = TransitServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
