"""The libraries of the pages, with stand-ins for Node and npm that are a few lines of shell."""

import json
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from entrypoints.jobs.npm_packages import PackagesUnavailable
from entrypoints.jobs.ui_libraries import FILES, PACKAGE_FILES, STAMP, VENDOR, UiLibraries, main
from tests.conftest import missing

ROOT = Path(__file__).parents[3]
MODULES = {source: f"content of {source}" for source in FILES.values()}


class Machine:
    """Programs that an installation finds first."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.root, self.vendor = folder / "bin", folder / "root", folder / "static" / "vendor"
        self.programs.mkdir()
        self.has("node", "#!/bin/sh\necho v22.1.0\n")
        self.has_npm(installed_lock())

    def has(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o755)

    def has_npm(self, lock: str) -> None:
        lines = ["#!/bin/sh", 'echo "$@" >> "$NPM_CONFIG_SEEN"']
        for source, content in MODULES.items():
            path = f"node_modules/{source}"
            lines += [f"mkdir -p {Path(path).parent}", f"printf %s '{content}' > {path}"]
        lines.append(f"printf %s '{lock}' > node_modules/.package-lock.json")
        self.has("npm", "\n".join(lines) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        seen = str(self.programs / "seen")
        return {"PATH": f"{self.programs}:/usr/bin:/bin", "NPM_CONFIG_SEEN": seen}

    def libraries(self) -> UiLibraries:
        return UiLibraries(self.root, self.vendor, environment=self.environment)

    def asked(self) -> list[str]:
        seen = self.programs / "seen"
        return seen.read_text().splitlines() if seen.exists() else []


def installed_lock(**changed: str) -> str:
    """What npm writes of what it installed: the lock without the package that asks for it."""
    packages = json.loads((PACKAGE_FILES / "package-lock.json").read_text())["packages"]
    del packages[""]
    packages["node_modules/uplot"].update(changed)
    return json.dumps({"packages": packages})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_what_browsers_need_is_copied_once(machine: Machine) -> None:
    assert not machine.libraries().complete

    await machine.libraries().ensure()
    await machine.libraries().ensure()

    (asked,) = machine.asked()
    assert asked.startswith("ci ") and "--ignore-scripts" in asked
    assert {path.name for path in machine.vendor.iterdir()} == {*FILES, STAMP}
    assert (machine.vendor / "uPlot.min.css").read_text() == "content of uplot/dist/uPlot.min.css"
    assert [path.name for path in machine.vendor.parent.iterdir()] == ["vendor"]


@pytest.mark.parametrize("name", ["htmx.min.js", STAMP])
async def test_what_was_changed_or_removed_is_copied_again(machine: Machine, name: str) -> None:
    await machine.libraries().ensure()
    (machine.vendor / name).write_text("evil()")
    assert not machine.libraries().complete

    await machine.libraries().ensure()
    (machine.vendor / name).unlink()
    await machine.libraries().ensure()

    assert machine.libraries().complete and len(machine.asked()) == 1


@pytest.mark.parametrize("changed", [{"integrity": "sha512-other"}, {"version": "9.9.9"}])
async def test_anything_else_than_the_lock_pins_is_refused(machine: Machine, changed: dict[str, str]) -> None:
    machine.has_npm(installed_lock(**changed))

    with pytest.raises(PackagesUnavailable, match="does not hold what its lock pins"):
        await machine.libraries().ensure()
    assert not machine.vendor.exists()


async def test_a_lock_that_cannot_be_read_is_said(machine: Machine) -> None:
    machine.has_npm("half a lo")

    with pytest.raises(PackagesUnavailable, match="cannot be read"):
        await machine.libraries().ensure()


def test_who_cannot_have_them_goes_on_unless_they_are_required(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("npm", "#!/bin/sh\necho 'npm error network unreachable'; exit 1\n")
    monkeypatch.setattr("entrypoints.jobs.ui_libraries.VENDOR", machine.vendor)
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)

    told = main(["--root", str(machine.root)]), capsys.readouterr().err
    required = main(["--root", str(machine.root), "--required"]), capsys.readouterr().err

    assert told[0] == 0 and "network unreachable" in told[1] and "Going on" in told[1]
    assert required[0] == 1 and "Going on" not in required[1]


def test_the_wheel_holds_the_pages_with_their_libraries(tmp_path: Path) -> None:
    if not UiLibraries(tmp_path).complete:
        missing("what `make ui` fetches")

    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])

    with zipfile.ZipFile(made) as wheel:
        held = set(wheel.namelist())
        shipped = wheel.read("entrypoints/ui/static/vendor/htmx.min.js")
    assert {f"entrypoints/ui/static/vendor/{name}" for name in FILES} < held
    assert {"entrypoints/ui/templates/base.html", "entrypoints/ui/static/app.css"} < held
    assert shipped == (VENDOR / "htmx.min.js").read_bytes()
    assert not [name for name in held if "node_modules" in name]
