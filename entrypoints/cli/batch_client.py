"""What `interchange batch` asks of a server: files in and out in constant memory, batches by their ids."""

import json
import secrets
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click

from entrypoints.cli.api_client import ApiClient, NotAnswering

PIECE_BYTES: Final = 256 * 1024
TRANSFER_TIMEOUT_S: Final = 120.0
PAGE: Final = 100
PAGES_MAX: Final = 10


class BatchClient:
    """Calls one server. Every failure is a click.ClickException; `NotAnswering` may be tried again."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def upload(self, path: Path, name: str) -> str:
        """The id of the file, sent piece by piece."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n'
            "content-type: application/jsonl\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        size_bytes = len(head) + path.stat().st_size + len(tail)

        def body() -> Iterator[bytes]:
            yield head
            with path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
            yield tail

        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(size_bytes),
        }
        with self._exchange("POST", "/v1/files", headers, body()) as response:
            answer = json.loads(response.read())
        return str(answer["id"])

    def download(self, file_id: str, path: Path) -> None:
        """Writes the file's bytes to `path`, whole or not at all."""
        part = path.with_name(f".{path.name}.part")
        content = self._exchange("GET", f"/v1/files/{quote(file_id)}/content", {}, None)
        with content as response, part.open("wb") as file:
            while piece := _piece(response, self._api.url):
                file.write(piece)
        part.replace(path)

    def create(self, file_id: str, endpoint: str, window: str, metadata: dict[str, str]) -> Any:
        """The new batch."""
        wanted = {
            "input_file_id": file_id,
            "endpoint": endpoint,
            "completion_window": window,
            "metadata": metadata,
        }
        return self._api.call("POST", "/v1/batches", wanted)

    def get(self, batch_id: str) -> Any:
        """The batch as it is."""
        return self._api.call("GET", f"/v1/batches/{quote(batch_id)}")

    def cancel(self, batch_id: str) -> Any:
        """The batch, asked to end."""
        return self._api.call("POST", f"/v1/batches/{quote(batch_id)}/cancel")

    def newest(self, limit: int) -> list[Any]:
        """Batches, newest first."""
        found: list[Any] = []
        after = ""
        for _ in range(PAGES_MAX):
            page = self._api.call("GET", f"/v1/batches?limit={min(PAGE, limit - len(found))}{after}")
            found += page["data"]
            if not page["has_more"] or len(found) >= limit:
                break
            after = f"&after={quote(page['last_id'])}"
        return found

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: Iterator[bytes] | None
    ) -> "_Exchange":
        return _Exchange(self._api, method, path, headers, body)


class _Exchange:
    """One request whose answer is read as it comes; errors become sentences."""

    def __init__(
        self,
        api: ApiClient,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Iterator[bytes] | None,
    ) -> None:
        parts = urlsplit(api.url)
        self._url = api.url
        self._connection = api.connection(TRANSFER_TIMEOUT_S)
        self._request = (method, parts.path + path, body, {"authorization": api.authorization, **headers})

    def __enter__(self) -> Any:
        method, path, body, headers = self._request
        try:
            self._connection.request(method, path, body=body, headers=headers)
            response = self._connection.getresponse()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise NotAnswering(f"no Interchange answers at {self._url} ({error})") from error
        if response.status >= 400:
            text = response.read(64 * 1024).decode(errors="replace")
            self._connection.close()
            raise click.ClickException(f"the server answered {response.status}: {_message(text)}")
        return response

    def __exit__(self, *exc: object) -> None:
        self._connection.close()


def _piece(response: HTTPResponse, url: str) -> bytes:
    try:
        piece = response.read(PIECE_BYTES)
    except (OSError, HTTPException) as error:
        raise NotAnswering(f"{url} did not send the whole file ({error})") from error
    if not piece and response.length:  # the library takes a line that was cut for the end
        raise NotAnswering(f"{url} did not send the whole file ({response.length} bytes are missing)")
    return piece


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300]


def _quoted(name: str) -> str:
    return name.replace("\\", "_").replace('"', "_").replace("\r", "_").replace("\n", "_")
