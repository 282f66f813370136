"""A worker that crashes leaves no file that holds what it knew."""

import subprocess
import sys
from pathlib import Path

CRASH = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from entrypoints.jobs.ports import leave_no_core
leave_no_core()
print(resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)
os.abort()
"""


def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    program = f"import sys; sys.path.insert(0, {str(root)!r})\n{CRASH}"
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, timeout=30)
    assert ended.returncode < 0
    assert int(ended.stdout) in (0, 1)
    assert list(tmp_path.iterdir()) == []
