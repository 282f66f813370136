"""A process that ends when the one that started it is gone, however that one ended.

Nothing can be sent by a parent that was killed, so the child looks: an orphan gets another parent id.
A thread does it, because the event loop may be busy, and because it works on every Unix.
"""

import os
import signal
import threading
import time
from typing import Final

LOOK_EVERY_S: Final = 0.5
ORPHAN_GRACE_S: Final = 5.0
"""What an orphan may use to finish; nobody is left who could wait for more."""


def end_with_parent(parent_pid: int, *, grace_s: float = ORPHAN_GRACE_S) -> None:
    """Begins to watch. When the parent is gone: SIGTERM to this process, and after the grace its end.

    The leader of a process group takes its whole group along.
    """

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
