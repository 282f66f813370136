"""Fetching the libraries of the pages of `/ui` when the software is built.

They come from npm as `entrypoints/ui/libraries/package-lock.json` pins them, and the few files that browsers
need are copied beside the pages, from where the wheel takes them. A server never fetches anything.
"""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from entrypoints.jobs.npm_packages import InstallLimits, NpmPackages, PackagesUnavailable, Pinned

UI: Final = Path(__file__).parents[1] / "ui"
PACKAGE_FILES: Final = UI / "libraries"
VENDOR: Final = UI / "static" / "vendor"
STAMP: Final = "installed.json"
FILES: Final[Mapping[str, str]] = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE.txt": "htmx.org/LICENSE",
    "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uPlot.LICENSE.txt": "uplot/LICENSE",
}
"""What browsers get, by where it stands in `node_modules`."""
LIMITS: Final = InstallLimits(node_s=180.0, packages_s=90.0)
_SOON: Final = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=3000")
"""Whoever is offline should not wait for long."""


class UiLibraries:
    """The files in `vendor`, from packages that are kept below `root`."""

    def __init__(
        self, root: Path, vendor: Path | None = None, *, environment: Mapping[str, str] | None = None
    ) -> None:
        pinned = Pinned(PACKAGE_FILES, "libraries", Path("node_modules") / FILES["htmx.min.js"])
        self._packages = NpmPackages(
            pinned,
            root,
            root / "install.log",
            limits=LIMITS,
            environment=environment,
            npm_options=_SOON,
        )
        self._vendor = vendor or VENDOR

    @property
    def complete(self) -> bool:
        """Whether the files are there, as the lock of now pins them and as they were copied."""
        try:
            stamp = json.loads((self._vendor / STAMP).read_text())
            digests = {name: _sha256(self._vendor / name) for name in FILES}
        except (OSError, ValueError):
            return False
        return bool(stamp == {"lock_sha256": self._packages.lock_sha256, "files": digests})

    async def ensure(self) -> None:
        """Fetches and copies what is missing.

        Raises:
            PackagesUnavailable: no npm, no network, or something else than the lock pins.
        """
        if self.complete:
            return
        await self._packages.install()
        self._check_integrity()
        modules = self._packages.folder / "node_modules"
        self._vendor.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".vendor-", dir=self._vendor.parent) as made:
            folder = Path(made) / "vendor"
            folder.mkdir()
            for name, source in FILES.items():
                shutil.copyfile(modules / source, folder / name)
            digests = {name: _sha256(folder / name) for name in FILES}
            stamp = {"lock_sha256": self._packages.lock_sha256, "files": digests}
            (folder / STAMP).write_text(json.dumps(stamp, indent=1) + "\n")
            shutil.rmtree(self._vendor, ignore_errors=True)
            try:
                folder.rename(self._vendor)
            except OSError:
                if not self.complete:  # else another process was first
                    raise PackagesUnavailable(f"{self._vendor} cannot be written") from None

    def _check_integrity(self) -> None:
        """That npm installed just the packages of the lock; it checks their digests when it unpacks them."""
        pinned = _packages(PACKAGE_FILES / "package-lock.json")
        installed = _packages(self._packages.folder / "node_modules" / ".package-lock.json")
        if pinned != installed:
            raise PackagesUnavailable(
                f"{self._packages.folder} does not hold what its lock pins; delete it to install again"
            )


def _packages(lock: Path) -> dict[str, tuple[str, str]]:
    """Version and digest of every package of a lock."""
    try:
        listed = json.loads(lock.read_text())["packages"]
    except (OSError, ValueError, KeyError):
        raise PackagesUnavailable(f"{lock} cannot be read") from None
    return {name: (row["version"], row["integrity"]) for name, row in listed.items() if name}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 they are there, or need not be; 1 they are required and cannot be had."""
    parser = argparse.ArgumentParser(description="Fetch the libraries of the pages of /ui.")
    parser.add_argument("--root", type=Path, default=Path("build/ui"), help="where npm packages are kept")
    parser.add_argument("--required", action="store_true", help="fail where they cannot be had")
    asked = parser.parse_args(arguments)
    libraries = UiLibraries(asked.root.resolve(), environment=os.environ)
    if libraries.complete:
        return 0
    sys.stderr.write("Fetching the libraries of /ui (once) …\n")
    try:
        asyncio.run(libraries.ensure())
    except PackagesUnavailable as error:
        sys.stderr.write(f"The libraries of /ui could not be fetched: {error}\n")
        if asked.required:
            return 1
        sys.stderr.write("Going on: its pages work without them, but do not update by themselves.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
