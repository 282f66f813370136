"""A strict stand-in for Google Cloud Storage on loopback, made from Google's description of its API.

It keeps generations, preconditions, sessions, CRC32C and V4 signatures as that describes them, and refuses
what Google refuses. What it forgives, Google may not; what it refuses, no adapter of ours may send.
"""

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.contract.gcs_fake_buckets import Buckets, Refused, Stored, crc32c
from tests.contract.gcs_fake_signatures import Asked, verifies, verify_signed

CHUNK_UNIT = 256 * 1024
COMPOSED_MAX = 32


class Session(NamedTuple):
    bucket: str
    about: dict[str, Any]
    query: dict[str, str]
    size: int | None
    received: bytearray


Script = Callable[[Asked], Awaitable[web.Response | None]]


class GcsFake(Buckets):
    """`script` sees each request first and may answer it. `cut_chunks`: how many bytes of the next pieces
    arrive before their connection breaks. `cut_media`: the same for contents that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, Session] = {}
        self.accounts: dict[str, RSAPublicKey] = {}
        self.tokens: dict[str, float] = {}
        self.asked: list[Asked] = []
        self.cut_chunks: list[int] = []
        self.cut_media: list[int] = []
        self.script: Script | None = None
        self.url = ""

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["GcsFake"]:
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path, _, said = request.raw_path.partition("?")
        asked = Asked(
            request.method,
            path,
            dict(parse_qsl(said, keep_blank_values=True)),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.asked.append(asked)
        try:
            scripted = await self.script(asked) if self.script is not None else None
            if scripted is not None:
                return scripted
            return await self._answered(request, asked)
        except Refused as refused:
            return refused.answer()

    async def _answered(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        steps = [unquote(step) for step in asked.path.strip("/").split("/")]
        if steps == ["token"]:
            return self._token(asked)
        if steps[:3] == ["upload", "storage", "v1"] and steps[5:] == ["o"]:
            return await self._upload(request, asked, steps[4])
        if steps[0] == "download" and asked.query.get("alt") == "media":
            steps = steps[1:]  # where Google's own client reads contents
        if steps[:2] == ["storage", "v1"]:
            return await self._resource(request, asked, steps[2:])
        if "X-Goog-Algorithm" in asked.query:
            return await self._signed(request, asked)
        raise Refused(404, "notFound", "Not Found")

    # Credentials

    def _token(self, asked: Asked) -> web.Response:
        form = dict(parse_qsl(asked.body.decode()))
        head, claims, signature = form["assertion"].split(".")
        said = json.loads(_unbare(claims))
        key = self.accounts.get(said["iss"])
        now = time.time()
        good = (
            key is not None
            and form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            and json.loads(_unbare(head))["alg"] == "RS256"
            and said["aud"] == self.token_url
            and said["iat"] <= now + 10 < said["exp"] <= said["iat"] + 3600
            and "devstorage" in said["scope"]
            and verifies(key, f"{head}.{claims}".encode(), _unbare(signature))
        )
        if not good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = secrets.token_urlsafe(24)
        self.tokens[token] = now + 3600
        return web.json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _authorise(self, asked: Asked) -> None:
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or self.tokens.get(token, 0) < time.time():
            raise Refused(401, "authError", "Invalid Credentials")

    def remains(self, bucket: str) -> int:
        """Sessions that are open, and parts that are kept, in any generation."""
        hidden = [name for name in self.bucket(bucket) if ".interchange" in name.split("/")]
        return len(hidden) + sum(each.bucket == bucket for each in self.sessions.values())

    async def _resource(self, request: web.Request, asked: Asked, steps: list[str]) -> web.StreamResponse:
        self._authorise(asked)
        match (asked.method, steps):
            case ("GET", ["b", bucket]):
                self.bucket(bucket)
                return web.json_response(
                    {"name": bucket, "location": "EU", "versioning": {"enabled": bucket in self.versioning}}
                )
            case ("GET", ["b", bucket, "o"]):
                return web.json_response(self.listed(bucket, asked.query))
            case ("GET", ["b", bucket, "o", name]):
                found = self.find(bucket, name, asked.query.get("generation"))
                self.demand(bucket, name, asked.query)
                if asked.query.get("alt") == "media":
                    return await self._media(request, asked, found)
                return web.json_response(found.resource(bucket))
            case ("DELETE", ["b", bucket, "o", name]):
                return self._delete(bucket, name, asked.query)
            case ("POST", ["b", bucket, "o", name, "compose"]):
                return self._compose(bucket, name, asked)
            case ("POST", ["b", bucket, "o", name, "rewriteTo", "b", other, "o", to]):
                return self._rewrite(bucket, name, other, to, asked.query)
        raise Refused(404, "notFound", "Not Found")

    async def _media(self, request: web.Request, asked: Asked, found: Stored) -> web.StreamResponse:
        size = len(found.content)
        begin, end, status = 0, size, 200
        said = asked.headers.get("range")
        headers = {"x-goog-generation": str(found.generation), "x-goog-hash": f"crc32c={found.crc32c}"}
        headers["content-type"] = found.about.get("contentType", "application/octet-stream")
        if said is not None:
            first, _, last = said.removeprefix("bytes=").partition("-")
            begin, end, status = int(first), min(int(last) + 1 if last else size, size), 206
            if begin >= size:
                raise Refused(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            headers["content-range"] = f"bytes {begin}-{end - 1}/{size}"
        content = found.content[begin:end]
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(content)
        await response.prepare(request)
        cut = self.cut_media.pop(0) if self.cut_media else len(content)
        await response.write(content[:cut])
        if cut < len(content) and request.transport is not None:
            request.transport.close()
            return response
        await response.write_eof()
        return response

    def _delete(self, bucket: str, name: str, query: Mapping[str, str]) -> web.Response:
        found = self.find(bucket, name, query.get("generation"))
        self.demand(bucket, name, query)
        if "generation" in query:
            self.bucket(bucket)[name].remove(found)
            if not self.bucket(bucket)[name]:
                del self.bucket(bucket)[name]
        else:
            self.hide(bucket, name)
        return web.Response(status=204)

    def _compose(self, bucket: str, name: str, asked: Asked) -> web.Response:
        said = json.loads(asked.body)
        sources = said["sourceObjects"]
        if not 1 <= len(sources) <= COMPOSED_MAX:
            raise Refused(
                400, "invalid", f"The number of source components provided must be <= {COMPOSED_MAX}"
            )
        found = [self.find(bucket, each["name"], each.get("generation")) for each in sources]
        self.demand(bucket, name, asked.query)
        made = self.keep(bucket, name, b"".join(each.content for each in found), said.get("destination", {}))
        return web.json_response(made.resource(bucket))

    def _rewrite(self, bucket: str, name: str, other: str, to: str, query: Mapping[str, str]) -> web.Response:
        found = self.find(bucket, name, query.get("sourceGeneration"))
        size = len(found.content)
        about = {"kind": "storage#rewriteResponse", "objectSize": str(size), "totalBytesRewritten": str(size)}
        if size > 1024 * 1024 and "rewriteToken" not in query:
            return web.json_response(
                {**about, "totalBytesRewritten": "1048576", "done": False, "rewriteToken": "more"}
            )
        self.demand(other, to, query)
        made = self.keep(other, to, found.content, found.about)
        return web.json_response({**about, "done": True, "resource": made.resource(other)})

    # Uploads

    async def _upload(self, request: web.Request, asked: Asked, bucket: str) -> web.StreamResponse:
        kind, number = asked.query.get("uploadType"), asked.query.get("upload_id")
        if number is None:
            self._authorise(asked)
            self.bucket(bucket)
        if asked.method == "POST" and kind == "multipart":
            about, content = _two_parts(asked)
            return web.json_response(self._made(bucket, about, content, asked.query).resource(bucket))
        if asked.method == "POST" and kind == "resumable":
            about = json.loads(asked.body)
            self.demand(bucket, about["name"], asked.query)
            size = asked.headers.get("x-upload-content-length")
            about.setdefault("contentType", asked.headers.get("x-upload-content-type"))
            number = secrets.token_hex(8)
            self.sessions[number] = Session(
                bucket, about, asked.query, None if size is None else int(size), bytearray()
            )
            location = f"{self.url}{asked.path}?uploadType=resumable&upload_id={number}"
            return web.Response(headers={"location": location})
        session = self.sessions.get(number or "")
        if session is None:
            raise Refused(404, "notFound", "No such upload")
        if asked.method == "DELETE":
            del self.sessions[str(number)]
            return web.Response(status=499)
        return self._piece(request, asked, str(number), session)

    def _piece(self, request: web.Request, asked: Asked, number: str, session: Session) -> web.Response:
        said, _, total = asked.headers["content-range"].removeprefix("bytes ").partition("/")
        received = session.received
        if said != "*":
            begin, end = (int(each) for each in said.split("-"))
            if len(asked.body) != end - begin + 1 or begin > len(received):
                raise Refused(400, "invalid", "Invalid request. The number of bytes does not fit.")
            if total == "*" and len(asked.body) % CHUNK_UNIT:
                raise Refused(400, "invalid", "Pieces have to be a multiple of 256 KiB")
            kept = asked.body[len(received) - begin :]
            if self.cut_chunks:
                kept = kept[: self.cut_chunks.pop(0)]
                received += kept[: len(kept) // CHUNK_UNIT * CHUNK_UNIT]
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            received += kept
        if total == "*" or len(received) < int(total):
            more = {"range": f"bytes=0-{len(received) - 1}"} if received else {}
            return web.Response(status=308, headers=more)
        content = bytes(received)
        stated = asked.headers.get("x-goog-hash", "").removeprefix("crc32c=")
        about = {**session.about, **({"crc32c": stated} if stated else {})}
        if session.size not in (None, len(content)):
            raise Refused(400, "invalid", "The size is not the one that was announced")
        made = self._made(session.bucket, about, content, session.query)
        del self.sessions[number]
        return web.json_response(made.resource(session.bucket))

    def _made(self, bucket: str, about: dict[str, Any], content: bytes, query: Mapping[str, str]) -> Stored:
        stated = about.pop("crc32c", None)
        if stated is not None and stated != crc32c(content):
            raise Refused(
                400, "invalid", f'Provided CRC32C "{stated}" doesn\'t match calculated "{crc32c(content)}".'
            )
        name = about.pop("name")
        self.demand(bucket, name, query)
        return self.keep(bucket, name, content, about)

    # Signed addresses

    async def _signed(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        verify_signed(asked, self.accounts)
        bucket, _, name = unquote(asked.path).lstrip("/").partition("/")
        if asked.method == "PUT":
            least, _, most = asked.headers.get("x-goog-content-length-range", "0,9999999999").partition(",")
            if not int(least) <= len(asked.body) <= int(most):
                raise Refused(400, "invalid", "EntityTooLarge or EntityTooSmall")
            self.keep(bucket, name, asked.body, {"contentType": asked.headers.get("content-type", "")})
            return web.Response()
        return await self._media(request, asked, self.find(bucket, name, asked.query.get("generation")))


def _unbare(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _two_parts(asked: Asked) -> tuple[dict[str, Any], bytes]:
    kind, _, boundary = asked.headers["content-type"].partition("; boundary=")
    if kind != "multipart/related":
        raise Refused(400, "invalid", "Multipart must be multipart/related")
    line = f"--{boundary.strip(chr(34))}".encode()
    begun, about, content, ended = asked.body.split(line)
    if begun.strip() or ended.strip() != b"--":
        raise Refused(400, "invalid", "Malformed multipart body")
    content_head, _, rest = content.partition(b"\r\n\r\n")
    found = json.loads(about.partition(b"\r\n\r\n")[2])
    found.setdefault("contentType", content_head.decode().rpartition(":")[2].strip())
    return found, rest.removesuffix(b"\r\n")
