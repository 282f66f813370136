"""Identity providers on loopback: they check what the real ones check, and hand out numbered tokens."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Form = dict[str, str]
# Short: every test reads it, and the check grows fast with its size.
SIGNER = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CLIENT, SECRET, TENANT = "client-1", "secret-Ab1", "tenant-1"
ROBOT = "robot@project.iam.gserviceaccount.com"


def signer_pem() -> str:
    """The private key of `ROBOT`."""
    return SIGNER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass
class TokenServer:
    """What was asked, and how the server behaves. `lifetime_s` and `refuses` may be changed at any time."""

    base_url: str = ""
    lifetime_s: int = 3600
    refuses: tuple[int, dict[str, Any]] | None = None
    held: asyncio.Event | None = None
    """While set up and not set, nobody is answered."""
    asked: list[tuple[str, Form]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    seen_headers: list[dict[str, str]] = field(default_factory=list)

    def new_token(self) -> str:
        """`token-1`, `token-2`, …"""
        self.issued.append(f"token-{len(self.issued) + 1}")
        return self.issued[-1]

    def service_account(self, **more: Any) -> dict[str, Any]:
        """A credentials document whose token endpoint is this server."""
        return {
            "type": "service_account",
            "client_email": ROBOT,
            "private_key_id": "key-1",
            "private_key": signer_pem(),
            "token_uri": f"{self.base_url}/google/token",
            **more,
        }

    def external_account(self, source: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A workload identity federation document."""
        return {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.base_url}/sts",
            "credential_source": source,
            **more,
        }


def _part(text: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=="))
    return decoded


def claims_of(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(head, claims) of a JWT that `ROBOT` signed. Raises InvalidSignature."""
    head, claims, signature = assertion.split(".")
    SIGNER.public_key().verify(
        urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256()
    )
    return _part(head), _part(claims)


@asynccontextmanager
async def token_server() -> AsyncIterator[TokenServer]:
    """Runs one on a free port."""
    state = TokenServer()

    def answering(check: Callable[[web.Request, Form], bool], **extra: Any) -> Any:
        async def answer(request: web.Request) -> web.Response:
            text = await request.text()
            form = {name: values[0] for name, values in parse_qs(text or request.query_string).items()}
            state.asked.append((request.path, form))
            state.seen_headers.append({name.lower(): value for name, value in request.headers.items()})
            if state.held is not None:
                await state.held.wait()
            if state.refuses is not None:
                status, body = state.refuses
                return web.json_response(body, status=status)
            if not check(request, form):
                return web.json_response(
                    {
                        "error": "invalid_client",
                        "error_description": "AADSTS7000215: wrong secret of app 123",
                    },
                    status=401,
                )
            token = state.new_token()
            return web.json_response(
                {"access_token": token, "expires_in": state.lifetime_s, "token_type": "Bearer", **extra}
            )

        return answer

    app = web.Application()
    for method, path, check in (
        ("POST", f"/{TENANT}/oauth2/v2.0/token", _entra),
        ("GET", "/metadata/identity/oauth2/token", _imds),
        ("GET", "/msi/token", _app_service),
        ("POST", "/google/token", _google),
        ("GET", "/computeMetadata/v1/instance/service-accounts/default/token", _metadata),
        ("POST", "/sts", _sts),
    ):
        app.router.add_route(method, path, answering(check))
    app.router.add_post("/impersonate", _impersonated(state))
    app.router.add_get("/subject", _subject)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    state.base_url = f"http://{host}:{port}"
    try:
        yield state
    finally:
        if state.held is not None:
            state.held.set()
        await runner.cleanup()


def _entra(request: web.Request, form: Form) -> bool:
    proved = form.get("client_secret") == SECRET or (
        form.get("client_assertion", "").startswith("federated-")
        and form["client_assertion_type"].endswith("jwt-bearer")
    )
    return proved and form["client_id"] == CLIENT and form["grant_type"] == "client_credentials"


def _imds(request: web.Request, form: Form) -> bool:
    return request.headers.get("Metadata") == "true" and form["api-version"] == "2018-02-01"


def _app_service(request: web.Request, form: Form) -> bool:
    return request.headers.get("X-IDENTITY-HEADER") == SECRET and form["api-version"] == "2019-08-01"


def _google(request: web.Request, form: Form) -> bool:
    if form["grant_type"] == "refresh_token":
        return form["refresh_token"] == SECRET and form["client_id"] == CLIENT
    head, claims = claims_of(form["assertion"])
    return (head["alg"], claims["iss"], claims["aud"]) == ("RS256", ROBOT, str(request.url))


def _metadata(request: web.Request, form: Form) -> bool:
    return request.headers.get("Metadata-Flavor") == "Google"


def _sts(request: web.Request, form: Form) -> bool:
    return form["subject_token"].startswith("federated-") and form["grant_type"].endswith("token-exchange")


def _impersonated(state: TokenServer) -> Any:
    async def answer(request: web.Request) -> web.Response:
        lent_to = request.headers["Authorization"].removeprefix("Bearer ")
        if lent_to not in state.issued:
            return web.json_response({"error": {"status": "PERMISSION_DENIED"}}, status=403)
        state.asked.append((request.path, await request.json()))
        token = state.new_token()
        return web.json_response({"accessToken": token, "expireTime": "2999-01-01T00:00:00Z"})

    return answer


async def _subject(request: web.Request) -> web.Response:
    return web.json_response({"value": f"federated-{request.headers['X-Proof']}"})
