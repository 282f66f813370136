"""`python -m tests.clients [module …]`: runs the clients; all of them also write docs/compatibility.md."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.clients.listening import listening
from tests.clients.page import PAGE, Result, Run, rendered
from tests.clients.pins import CLIENTS, Pinned, installed_versions
from tests.clients.world import ROOT, world

CLIENT_S = 300
AT_ONCE = 2
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
NODE_MODULES = ROOT / ".clients" / "node_modules"


def main(chosen: list[str]) -> int:
    """0 when nothing failed, 1 when something did, 2 for a client that is not there."""
    unknown = set(chosen) - {client.module for client in CLIENTS}
    if unknown:
        print(f"no such client: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    clients = [client for client in CLIENTS if not chosen or client.module in chosen]
    if shutil.which("node") is None and any(client.registry == "npm" for client in clients):
        reason = "Node 18 or newer is missing, which the npm clients need"
        print(reason, file=sys.stderr)
        if os.environ.get("INTERCHANGE_REQUIRE") == "all":
            return 1
        clients = [client for client in clients if client.registry != "npm"]
    with ThreadPoolExecutor(AT_ONCE) as at_once:
        runs = list(at_once.map(_run, clients))
    failed = sum(one.outcome == "fail" for run in runs for one in run.results)
    # A page of some clients would say that the others do not work.
    if clients == list(CLIENTS) and "CLIENT_ONLY" not in os.environ:
        PAGE.write_text(rendered(runs, installed_versions(PYTHON, NODE_MODULES)))
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 1 if failed else 0


def _run(client: Pinned) -> Run:
    """A client's results; one that ends without any has failed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"client-{client.module}-") as name:
        folder = Path(name)
        log = folder / "client.log"
        with (
            world(folder) as addresses,
            listening(addresses.url) as (url, asked),
            log.open("wb") as output,
        ):
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LANG": "C.UTF-8",
                "INTERCHANGE_URL": url,
                "INTERCHANGE_OWN_URL": addresses.url,
                "INTERCHANGE_KEY": addresses.key,
                "SIMULATOR_URL": addresses.simulator_url,
                "CLIENT_FOLDER": str(folder),
                "CLIENT_RESULTS": str(folder / "results.jsonl"),
                "CLIENT_NODE_MODULES": str(NODE_MODULES),
                **{key: os.environ[key] for key in ("CLIENT_ONLY",) if key in os.environ},
            }
            ended = _ended(client, environment, output)
        path = folder / "results.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        seen = [Result(**json.loads(line)) for line in lines]
        if ended:
            seen.append(Result("the whole run", "openai", "fail", ended))
        if "CLIENT_LOGS" in os.environ:
            print(log.read_text(errors="replace"))
        failed = [one for one in seen if one.outcome == "fail"]
        print(f"{client.module}: {_told(seen)}, {time.monotonic() - began:.0f} s", flush=True)
        for one in failed:
            print(f"  FAILED {one.scenario} / {one.family}: {one.why}", flush=True)
        if failed:
            print(log.read_text(errors="replace")[-6000:], flush=True)
    return Run(client, seen, sorted(asked) if client.registry == "npm" else [])


def _ended(client: Pinned, environment: dict[str, str], output: object) -> str:
    """How it ended, empty for well."""
    command = [str(PYTHON), "-m", f"tests.clients.drive.{client.module}"]
    try:
        status = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, timeout=CLIENT_S, check=False,  # type: ignore[call-overload]
        ).returncode  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it did not end within {CLIENT_S} s"
    return f"it ended with status {status}" if status else ""


def _told(seen: list[Result]) -> str:
    return ", ".join(
        f"{sum(one.outcome == outcome for one in seen)} {outcome}" for outcome in ("pass", "fail", "n/a")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
