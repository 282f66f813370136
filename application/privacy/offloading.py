"""Reading large bodies in threads of their own, so that other requests do not wait for them."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from domain.errors import InterchangeError, PrivacyUnavailable, StoreUnavailable

T = TypeVar("T")
log = logging.getLogger("interchange")

INLINE_BYTES_MAX: Final = 32 * 1024
THREADS_MAX: Final = 2
WAITING_MAX: Final = 256
WITHIN_S: Final = 60.0
RETRY_AFTER_S: Final = 5.0


class Offloading:
    """Closed by `close`. Whatever fails in here ends as an error of ours: nothing goes on unread."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._slots = asyncio.Semaphore(THREADS_MAX)
        self._waiting = 0

    async def __call__(self, size_bytes: int, work: Callable[[], T]) -> T:
        """The result of `work`, which a small body gets at once. Raises as `at_once`."""
        if size_bytes <= INLINE_BYTES_MAX:
            return self.at_once(work)
        if self._waiting >= WAITING_MAX:
            raise PrivacyUnavailable(
                "too many large bodies wait to be read for personal data", retry_after_s=RETRY_AFTER_S
            )
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="privacy")
        self._waiting += 1
        try:
            async with asyncio.timeout(WITHIN_S), self._slots:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self.at_once, work)
        except TimeoutError:
            raise PrivacyUnavailable(
                f"the body was not read for personal data within {WITHIN_S:g} s",
                retry_after_s=RETRY_AFTER_S,
            ) from None
        finally:
            self._waiting -= 1

    @staticmethod
    def at_once(work: Callable[[], T]) -> T:
        """The result of `work`. Raises PrivacyUnavailable for whatever keeps it from being done, and what it
        refuses with."""
        try:
            return work()
        except StoreUnavailable as error:
            raise PrivacyUnavailable(error.message, retry_after_s=error.retry_after_s) from None
        except InterchangeError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing goes on unread
            # Its message may repeat what was read.
            log.error("personal data could not be looked for: %s", type(error).__name__)
            raise PrivacyUnavailable("personal data cannot be looked for") from None

    def close(self) -> None:
        """Lets nothing begin any more. Idempotent."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
