"""What one tenant can take up: bounded for itself, and no reason to refuse the others."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from entrypoints.http.files import UPLOADS_PER_TENANT_MAX
from tests.e2e.kept_responses_world import CONFIG, stranger_key
from tests.e2e.stack import Stack

FORM = "multipart/form-data; boundary=b"
BEGUN = b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nhalf a fi'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # The operator's own directory, which everybody may look into.
    data_dir = tmp_path_factory.mktemp("open") / "data"
    data_dir.mkdir(mode=0o755)
    with Stack(data_dir, CONFIG) as running:
        yield running


def begin_upload(stack: Stack, key: str) -> socket.socket:
    """A form that never ends."""
    parts = urlsplit(stack.url)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=10)
    head = f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: {FORM}\r\n"
    sock.sendall(head.encode() + b"content-length: 100000\r\n\r\n" + BEGUN)
    return sock


def upload(stack: Stack, key: str) -> httpx.Response:
    body = BEGUN + b'le\r\n--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n'
    headers = {"authorization": f"Bearer {key}", "content-type": FORM}
    return httpx.post(f"{stack.url}/v1/files", content=body, headers=headers, timeout=10)


def until_status(stack: Stack, key: str, status: int) -> httpx.Response:
    """The newest answer to an upload, asked again as long as connections are still coming or going."""
    for _ in range(100):
        answer = upload(stack, key)
        if answer.status_code == status:
            break
    return answer


def test_unfinished_uploads_of_a_tenant_are_bounded_and_no_others_concern(stack: Stack) -> None:
    stranger = stranger_key(stack)
    with ExitStack() as held:
        for _ in range(UPLOADS_PER_TENANT_MAX):
            held.enter_context(begin_upload(stack, stranger))

        refused = until_status(stack, stranger, 503)

        assert refused.status_code == 503 and refused.json()["error"]["code"] == "overloaded"
        assert "retry-after" in refused.headers
        assert upload(stack, stack.key).status_code == 200
    assert until_status(stack, stranger, 200).status_code == 200


def test_what_is_kept_is_for_nobody_else_to_read(stack: Stack) -> None:
    assert upload(stack, stack.key).status_code == 200
    kept = [
        stack.data_dir / name for name in ("interchange.db", "interchange.db-wal", "admin.key", "pepper.key")
    ]
    kept += [Path(at) / name for at, _, names in os.walk(stack.data_dir / "files") for name in names]
    directories = [stack.data_dir / "files", *(stack.data_dir / "files").iterdir()]

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (*kept, *directories)}

    assert modes == dict.fromkeys(modes, 0)
