"""Real parts of tests that come from npm: each is installed once per checkout, by whoever needs it first.

`python -m tests.node_parts` brings all of them beforehand, so that no test waits for a registry. Folders are
below `.interchange-test`, unless a variable of the environment names another.
"""

import asyncio
import fcntl
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from entrypoints.jobs.gateway_install import GatewayInstallation
from entrypoints.jobs.npm_packages import InstallLimits, NpmPackages, PackagesUnavailable, Pinned

HERE: Final = Path(__file__).parent
_PATIENT: Final = InstallLimits(node_s=600.0, packages_s=600.0)


def _below(variable: str, *names: str) -> Path:
    named = os.environ.get(variable)
    return Path(named) if named else HERE.parent.joinpath(".interchange-test", *names)


def _pinned(folder: str, proof: str) -> NpmPackages:
    root = _below(f"INTERCHANGE_{folder.upper()}_DIR", folder)
    pinned = Pinned(HERE / folder, folder, Path("node_modules") / proof)
    return NpmPackages(pinned, root, root / "install.log", limits=_PATIENT)


def axe() -> NpmPackages:
    """What is looked at pages with; the variable is `INTERCHANGE_UI_DIR`."""
    return _pinned("ui", "axe-core/axe.min.js")


def azurite() -> NpmPackages:
    """Azure Blob Storage; the variable is `INTERCHANGE_AZURITE_DIR`."""
    return _pinned("azurite", "azurite/dist/src/blob/main.js")


def oidc() -> NpmPackages:
    """An OpenID provider; the variable is `INTERCHANGE_OIDC_DIR`."""
    return _pinned("oidc", "oidc-provider/package.json")


def gateway_folder() -> Path:
    """The data folder of gateways under test; the variable is `INTERCHANGE_PORTKEY_DIR`."""
    return _below("INTERCHANGE_PORTKEY_DIR")


def gateway() -> NpmPackages:
    """The Portkey gateway."""
    root = gateway_folder() / "portkey"
    return GatewayInstallation(root, root / "install.log", limits=_PATIENT)


def missing_part(packages: NpmPackages) -> str:
    """Installs it if need be. Empty, or why it cannot be had. Of test processes, one installs and the others
    wait."""
    root = packages.folder.parent
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # In a thread of its own: the caller may have an event loop in this one.
            with ThreadPoolExecutor(1) as other:
                other.submit(asyncio.run, packages.install()).result()
        except PackagesUnavailable as error:
            return str(error)
    return ""


def main() -> int:
    """Brings every part. Tells which could not be had; returns how many those are."""
    problems = [found for part in (gateway, axe, azurite, oidc) if (found := missing_part(part()))]
    for problem in problems:
        print(problem, file=sys.stderr)
    return len(problems)


if __name__ == "__main__":
    sys.exit(main())
