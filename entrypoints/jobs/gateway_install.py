"""Getting the Portkey gateway onto this machine, exactly as the lock file beside this module pins it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrypoints.jobs.npm_packages import InstallLimits, NpmPackages, PackagesUnavailable, Pinned

PACKAGE_FILES: Final = Path(__file__).parent / "portkey"
PRELOAD: Final = PACKAGE_FILES / "loopback_preload.cjs"
SERVER_SCRIPT: Final = Path("node_modules/@portkey-ai/gateway/build/start-server.js")


class GatewayUnavailable(PackagesUnavailable):
    """The gateway cannot be installed here now; the message says why and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledGateway:
    """Where the parts are. `folder` is the working folder of the process."""

    node: Path
    folder: Path

    @property
    def script(self) -> Path:
        return self.folder / SERVER_SCRIPT


class GatewayInstallation(NpmPackages):
    """Finds the gateway under `root`, or installs it there. Safe to use from several processes at once."""

    unavailable = GatewayUnavailable

    def __init__(
        self,
        root: Path,
        log: Path,
        *,
        limits: InstallLimits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        pinned = Pinned(PACKAGE_FILES, "gateway", SERVER_SCRIPT)
        super().__init__(pinned, root, log, limits=limits, environment=environment)

    async def ensure(self) -> InstalledGateway:
        """Node and the pinned gateway, installed if need be. Takes seconds to minutes the first time.

        Raises:
            GatewayUnavailable: no Node and no way to get it, no network, or a package that is not the
                pinned one.
        """
        node = await self.install()
        return InstalledGateway(node=node, folder=self.folder)
