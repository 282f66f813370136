"""AWS's lenders of keys on loopback: STS, a container agent, an instance's metadata service."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from aiohttp import web

from entrypoints.simulator.aws_proof import secret_of, token_of

ROLE = "arn:aws:iam::123456789012:role/models"
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[a-z0-9-]+/sts/aws4_request, .*")


@dataclass
class AwsServer:
    """What was asked, and what is lent: `LENT<n>` with the secret and token the simulator expects."""

    base_url: str = ""
    ends_at: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    status: int = 200
    lent: int = 0
    held: asyncio.Event | None = None
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Action or path, fields, headers."""

    def keys(self) -> dict[str, str]:
        """New keys."""
        self.lent += 1
        key_id = f"LENT{self.lent}"
        return {
            "AccessKeyId": key_id,
            "SecretAccessKey": secret_of(key_id),
            "Token": token_of(key_id),
            "Expiration": self.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    async def sts(self, request: web.Request) -> web.Response:
        """AssumeRole for signed requests, AssumeRoleWithWebIdentity for a token."""
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        self.asked.append((form["Action"], form, dict(request.headers)))
        if self.held is not None:
            await self.held.wait()
        signed = _SIGNED.fullmatch(request.headers.get("Authorization", ""))
        proved = form.get("WebIdentityToken") == "jwt-1" if "WebIdentityToken" in form else signed
        if not proved or self.status != 200:
            code = "AccessDenied" if self.status == 200 else "Throttling"
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>for account 1</Message></Error>"
            status = 403 if self.status == 200 else self.status
            return web.Response(status=status, text=text)
        keys = self.keys()
        keys["SessionToken"] = keys.pop("Token")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in keys.items())
        return web.Response(text=f"<R><Credentials>{inner}</Credentials></R>", content_type="text/xml")

    async def container(self, request: web.Request) -> web.Response:
        """Keys for the agent's token."""
        self.asked.append((request.path, {}, dict(request.headers)))
        if request.headers.get("Authorization") != "agent-1":
            return web.Response(status=403)
        return web.json_response(self.keys())

    async def instance(self, request: web.Request) -> web.Response:
        """IMDSv2: a session first, then the role's name, then its keys."""
        self.asked.append((f"{request.method} {request.path}", {}, dict(request.headers)))
        if request.method == "PUT":
            lifetime = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
            return web.Response(text="session-1") if lifetime.isdigit() else web.Response(status=400)
        if request.headers.get("X-aws-ec2-metadata-token") != "session-1":
            return web.Response(status=401)
        named = request.match_info.get("role")
        return (
            web.json_response({"Code": "Success", **self.keys()}) if named else web.Response(text="models\n")
        )


@asynccontextmanager
async def aws_server() -> AsyncIterator[AwsServer]:
    """Runs one on a free port."""
    state = AwsServer()
    app = web.Application()
    app.router.add_post("/", state.sts)
    app.router.add_get("/container", state.container)
    app.router.add_put("/latest/api/token", state.instance)
    app.router.add_get("/latest/meta-data/iam/security-credentials/", state.instance)
    app.router.add_get("/latest/meta-data/iam/security-credentials/{role}", state.instance)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    state.base_url = f"http://{host}:{port}"
    try:
        yield state
    finally:
        await runner.cleanup()
