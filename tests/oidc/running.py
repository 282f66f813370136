"""The real OpenID provider for tests: installed once per checkout, started per test session.

`INTERCHANGE_OIDC_DIR` names the folder that keeps the installation (default: `.interchange-test/oidc`).
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

HERE = Path(__file__).parent
INSTALL_S = 180
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


def install_folder() -> Path:
    named = os.environ.get("INTERCHANGE_OIDC_DIR")
    return Path(named) if named else HERE.parents[1] / ".interchange-test" / "oidc"


@contextmanager
def running_provider() -> Iterator[RealProvider | str]:
    """The provider, up; or the reason why it is not."""
    node = shutil.which("node")
    if node is None:
        yield "node is not installed"
        return
    install_folder().mkdir(parents=True, exist_ok=True)
    with (install_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes share the folder
        problem = _install(install_folder())
    if problem:
        yield problem
        return
    command = [node, "provider.mjs", f"{PUBLIC_URL}/auth/callback", PUBLIC_URL]
    with subprocess.Popen(
        command,
        cwd=install_folder(),
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


def _install(folder: Path) -> str:
    """Empty, or why it cannot be installed. Every process puts the same files there."""
    wanted = (HERE / "package-lock.json").read_bytes()
    done = folder / "installed-lock.json"
    if not done.exists() or done.read_bytes() != wanted:
        npm = shutil.which("npm")
        if npm is None:
            return "npm is not installed"
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, folder / name)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        installed = subprocess.run(
            [npm, "ci", *options], cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if installed.returncode != 0:
            return f"npm ci failed: {installed.stderr.strip()[-300:]}"
        done.write_bytes(wanted)
    shutil.copyfile(HERE / "provider.mjs", folder / "provider.mjs")
    return ""
