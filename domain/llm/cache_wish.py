"""What one caller wishes of earlier answers."""

from typing import Final, NamedTuple


class CacheWish(NamedTuple):
    """What one caller asks in `x-interchange-cache`, `-cache-ttl`, `-cache-namespace` and `-cache-tags`.

    `no_cache` neither reads nor joins a running call, but keeps the fresh answer; `no_store` keeps nothing
    and reads nothing. `ttl_s` bounds both the age of what is served and the life of what is kept.
    """

    no_store: bool = False
    no_cache: bool = False
    ttl_s: float | None = None
    namespace: str = ""
    tags: tuple[str, ...] = ()


NO_WISH: Final = CacheWish()
