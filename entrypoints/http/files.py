"""`/v1/files`, in OpenAI's shape."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from application.use_cases.manage_files import ManageFiles, Received
from domain.batch.stored_file import StoredFile
from domain.errors import InterchangeError, InvalidRequest, Overloaded
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Door, guarded_routes, refuse_encoded, still_let_in
from entrypoints.http.multipart import (
    Field,
    FileBegan,
    FileBytes,
    FileEnded,
    MultipartReader,
    boundary_of,
)
from entrypoints.http.pages import read_page

UPLOAD_IDLE_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 3600.0
UPLOADS_PER_TENANT_MAX = 8
"""At once, in one process: what is on its way counts against no quota yet, but fills the disk."""
RETRY_AFTER_S = 5.0


def file_routes(door: Door, files: ManageFiles) -> list[Route]:
    """The routes, each behind its permission from the one table."""
    handlers = _Files(files)
    return guarded_routes(
        door,
        {
            ("POST", "/v1/files"): handlers.upload,
            ("GET", "/v1/files"): handlers.list,
            ("GET", "/v1/files/{file_id}"): handlers.get,
            ("DELETE", "/v1/files/{file_id}"): handlers.delete,
            ("GET", "/v1/files/{file_id}/content"): handlers.content,
        },
    )


class _Upload:
    """One form on its way: fields collect here, the file's bytes go through `chunks` to the disk."""

    def __init__(self, request: Request) -> None:
        refuse_encoded(request)
        self._request = request
        self._stream = request.stream().__aiter__()
        self._reader = MultipartReader(boundary_of(request.headers.get("content-type", "")))
        self._events: list[Any] = []
        self.fields: dict[str, str] = {}
        self.filename: str | None = None

    async def next_event(self) -> Any:
        """The next event; None at the end of the form. Raises InvalidRequest."""
        while not self._events:
            try:
                async with asyncio.timeout(UPLOAD_IDLE_TIMEOUT_S):
                    data = await anext(self._stream, None)
            except TimeoutError:
                raise InvalidRequest("the file did not arrive in time", param="file") from None
            except ClientDisconnect:
                raise InvalidRequest("the caller left before the file was complete", param="file") from None
            if data is None:
                if not self._reader.complete:
                    raise InvalidRequest("the form ended before it was complete", param="body")
                return None
            await still_let_in(self._request)
            self._events = self._reader.feed(data)
        return self._events.pop(0)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the file that has begun, to its end."""
        while not isinstance(event := await self.next_event(), FileEnded):
            if event is None:
                raise InvalidRequest("the form ended before the file did", param="file")
            assert isinstance(event, FileBytes)
            yield event.data


class _Files:
    def __init__(self, files: ManageFiles) -> None:
        self._files = files
        self._uploads: Counter[str] = Counter()

    async def upload(self, request: Request, by: Principal) -> Any:
        if self._uploads[by.tenant_id] >= UPLOADS_PER_TENANT_MAX:
            raise Overloaded(
                f"{UPLOADS_PER_TENANT_MAX} files of this tenant are being uploaded already",
                retry_after_s=RETRY_AFTER_S,
            )
        self._uploads[by.tenant_id] += 1
        try:
            return await self._upload(request, by)
        finally:
            self._uploads[by.tenant_id] -= 1
            if not self._uploads[by.tenant_id]:
                del self._uploads[by.tenant_id]

    async def _upload(self, request: Request, by: Principal) -> Any:
        upload = _Upload(request)
        received: Received | None = None
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT_S):
                while (event := await upload.next_event()) is not None:
                    if isinstance(event, Field):
                        upload.fields[event.name] = event.value
                    elif isinstance(event, FileBegan):
                        if event.name != "file" or received is not None:
                            raise InvalidRequest("send exactly one file, as `file`", param=event.name[:80])
                        upload.filename = event.filename
                        received = await self._files.receive(by, upload.chunks())
            if received is None:
                raise InvalidRequest("file is required", param="file")
            if "purpose" not in upload.fields:
                raise InvalidRequest("purpose is required", param="purpose")
        except BaseException as error:
            if received is not None:
                await self._files.discard(by, received)
            if isinstance(error, TimeoutError):
                raise InvalidRequest("the file did not arrive in time", param="file") from None
            raise
        kept = await self._files.keep(
            by,
            received,
            filename=upload.filename or "",
            purpose=upload.fields["purpose"],
            fields=upload.fields,
        )
        return file_object(kept)

    async def list(self, request: Request, by: Principal) -> Any:
        page = read_page(request, limit_default=10_000, limit_max=10_000)
        order = request.query_params.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest(f"order {order[:40]!r} is unknown; allowed: asc, desc", param="order")
        found, more = await self._files.page(
            by,
            purpose=request.query_params.get("purpose"),
            after=page.after,
            limit=page.limit,
            ascending=order == "asc",
        )
        shown = [file_object(one) for one in found]
        return {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": more,
        }

    async def get(self, request: Request, by: Principal) -> Any:
        return file_object(await self._files.get(by, request.path_params["file_id"]))

    async def delete(self, request: Request, by: Principal) -> Any:
        file_id = request.path_params["file_id"]
        await self._files.delete(by, file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    async def content(self, request: Request, by: Principal) -> Response:
        record, chunks = await self._files.content(by, request.path_params["file_id"])
        return StreamingResponse(
            _while_let_in(request, chunks),
            media_type="application/octet-stream",
            headers={
                "content-length": str(record.size_bytes),
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
                "content-disposition": "attachment",
            },
        )


async def _while_let_in(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A download ends where its caller is shut out; its length tells that it is not whole."""
    async for chunk in chunks:
        try:
            await still_let_in(request)
        except InterchangeError:
            return
        yield chunk


def file_object(record: StoredFile) -> dict[str, Any]:
    """A file as OpenAI shows one."""
    return {
        "id": record.file_id,
        "object": "file",
        "bytes": record.size_bytes,
        "created_at": record.created_at_us // 1_000_000,
        "expires_at": record.expires_at_us // 1_000_000,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
        "status_details": None,
    }
