"""Load on one contender: wrk for closed loops, our own generator for open loops and exact counts."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from benchmarks.generator import Result, Specification
from benchmarks.shots import Shot

_MARK = "BENCH "
_SCRIPT = """
local file = io.open(%(body)s, "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
%(headers)s
done = function(summary, latency, requests)
  io.write(string.format(
    '%(mark)s{"requests": %%d, "duration_us": %%d, "status": %%d, "connect": %%d, ' ..
    '"read": %%d, "write": %%d, "timeout": %%d, "p50": %%d, "p95": %%d, "p99": %%d}\\n',
    summary.requests, summary.duration, summary.errors.status, summary.errors.connect, summary.errors.read,
    summary.errors.write, summary.errors.timeout, latency:percentile(50), latency:percentile(95),
    latency:percentile(99)))
end
"""


class ClosedLoop(NamedTuple):
    """One wrk run. Latencies are at saturation: they say how long the queue is, not what was added."""

    per_s: float
    answered: int
    failed: int
    p50_ms: float
    p99_ms: float


def closed_loop(shot: Shot, *, concurrency: int, seconds: int) -> ClosedLoop:
    """As many requests as `concurrency` callers get answered who ask again at once."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        body, script = Path(folder, "body"), Path(folder, "script.lua")
        body.write_bytes(shot.body)
        headers = "\n".join(f"wrk.headers[{name!r}] = {value!r}" for name, value in shot.headers)
        script.write_text(_SCRIPT % {"body": repr(str(body)), "headers": headers, "mark": _MARK})
        command = ["wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
        done = subprocess.run(
            [*command, shot.url], capture_output=True, text=True, timeout=seconds + 40, check=True
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    found = json.loads(line.removeprefix(_MARK))
    failed = found["status"] + found["connect"] + found["read"] + found["write"] + found["timeout"]
    answered = found["requests"] - found["status"]
    return ClosedLoop(
        answered / (found["duration_us"] / 1e6), answered, failed, found["p50"] / 1e3, found["p99"] / 1e3
    )


def generated(
    shots: Sequence[Shot],
    *,
    rate: float = 0.0,
    concurrency: int = 0,
    seconds: float = 1.0,
    count_max: int = 0,
    warm_up: int = 0,
    connections_max: int = 1024,
    drain_s: float = 10.0,
    meanwhile: Callable[[], None] | None = None,
) -> Result:
    """A run of `benchmarks.generator`; the shots take turns and go to the first one's address.

    `meanwhile` is called about ten times a second while it runs.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = []
        for number, shot in enumerate(shots):
            path = Path(folder, f"request-{number}")
            path.write_bytes(shot.raw())
            files.append(str(path))
        wanted = Specification(
            host=shots[0].host,
            port=shots[0].port,
            raw_files=files,
            rate=rate,
            concurrency=concurrency,
            seconds=seconds,
            count_max=count_max,
            connections_max=connections_max,
            warm_up=warm_up,
            drain_s=drain_s,
        )
        specification = Path(folder, "specification.json")
        specification.write_text(json.dumps(asdict(wanted)))
        return _run_generator(specification, seconds + drain_s + 30.0, meanwhile)


def _run_generator(specification: Path, timeout_s: float, meanwhile: Callable[[], None] | None) -> Result:
    command = [sys.executable, "-m", "benchmarks.generator", str(specification)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            waited_s, step_s = 0.0, 0.1 if meanwhile is not None else timeout_s
            while True:
                try:
                    output, _ = process.communicate(timeout=step_s)
                    break
                except subprocess.TimeoutExpired:
                    waited_s += step_s
                    if waited_s >= timeout_s:
                        raise
                    if meanwhile is not None:
                        meanwhile()
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode:
        raise RuntimeError(f"the load generator ended with status {process.returncode}")
    return Result(**json.loads(output.splitlines()[-1]))


def missing_programs() -> list[str]:
    """What has to be installed first."""
    missing = [] if shutil.which("wrk") else ["wrk"]
    if not (shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")):
        missing.append("nginx")
    return missing
