"""The real OpenID provider for tests: installed once per checkout, started per test session."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.node_parts import missing_part, oidc

HERE = Path(__file__).parent
START_LINES_MAX = 20
PUBLIC_URL = "https://gateway.example.com"
"""Where browsers believe the server under test to be, and the audience of its tokens."""


class RealProvider(NamedTuple):
    """A running provider; its clients and accounts stand in `provider.mjs`."""

    issuer: str

    def token(self, **fields: str) -> str:
        """An access token for the client `bot`."""
        asked = {"grant_type": "client_credentials", "resource": PUBLIC_URL, "scope": "llm", **fields}
        answer = httpx.post(f"{self.issuer}/token", data=asked, auth=("bot", "bot%20secret"), timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def rotate(self) -> None:
        """Other keys from now on; whatever was signed with the old ones is worth nothing."""
        httpx.post(f"{self.issuer}/_test/rotate", timeout=10).raise_for_status()


@contextmanager
def running_provider() -> Iterator[RealProvider | str]:
    """The provider, up; or the reason why it is not."""
    node = shutil.which("node")
    if node is None:
        yield "node is not installed"
        return
    packages = oidc()
    if problem := missing_part(packages):
        yield problem
        return
    # Beside its packages, or Node would not find them.
    shutil.copyfile(HERE / "provider.mjs", packages.folder / "provider.mjs")
    command = [node, "provider.mjs", f"{PUBLIC_URL}/auth/callback", PUBLIC_URL]
    with subprocess.Popen(
        command,
        cwd=packages.folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield _started(process)
        finally:
            process.kill()


def _started(process: "subprocess.Popen[str]") -> RealProvider | str:
    assert process.stdout is not None
    for _ in range(START_LINES_MAX):
        line = process.stdout.readline()
        if line.startswith("issuer "):
            return RealProvider(line.split()[1])
        if not line:
            break
    return "the provider did not start"
