"""`cache` and `routes.*.cache`: when an earlier answer is given again, and where answers are kept."""

import base64
import binascii
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr

from domain.caching.policy import (
    ENTRY_BYTES_MAX_DEFAULT,
    TTL_S_DEFAULT,
    TTL_S_MAX,
    CacheMode,
    CachePolicy,
    CacheScope,
)
from entrypoints.config.sections import AbsolutePath, Section, Share, Word

MIB: Final = 1024 * 1024
SEAL_KEY_BYTES: Final = 32
HASHING: Final = "hashing"
LOCAL_EMBEDDERS: Final = ("auto", "minilm", HASHING)
BUILT_IN_JUDGES: Final = ("normalised", "embedding")
_TEXT: Final = r"^[A-Za-z0-9._:/-]+$"

ModeName = Annotated[CacheMode, Word]
CacheSeconds = Annotated[float, Field(gt=0, le=TTL_S_MAX)]
StaleSeconds = Annotated[float, Field(ge=0, le=TTL_S_MAX)]
ErrorRate = Annotated[float, Field(gt=0, lt=1)]
Tag = Annotated[str, Field(pattern=_TEXT, max_length=64)]


class CacheSettings(Section):
    """Caching of one route. Keys left out are those of the general `cache` section, where it has them."""

    mode: ModeName | None = Field(
        default=None,
        description="`observe` serves nothing and measures what `verified` would; `exact` answers equal "
        "requests; `verified` also similar questions, where the answer is right with the accepted certainty; "
        "`threshold` also whatever is similar enough, right or wrong.",
    )
    ttl_s: CacheSeconds | None = Field(default=None, description="How long an answer is fresh.")
    stale_s: StaleSeconds = Field(
        default=0.0,
        description="How much longer it may be served while a fresh one is fetched beside the request.",
    )
    stale_if_error_s: StaleSeconds = Field(
        default=0.0, description="How much longer it may stand in when no provider can answer."
    )
    scope: Annotated[CacheScope, Word] = Field(
        default=CacheScope.TENANT,
        description="Who shares answers: all of a tenant, each user (x-interchange-user-id) or each key. "
        "Never several tenants.",
    )
    namespace: str = Field(
        default="", max_length=128, pattern=r"^[A-Za-z0-9._:/-]*$", description="Changed, everything is new."
    )
    tags: tuple[Tag, ...] = Field(
        default=(), max_length=16, description="By which all answers of the route can be invalidated."
    )
    tool_calls: bool = Field(
        default=False, description="Whether answers that call tools are kept; only exact requests get one."
    )
    coalesce: bool = Field(
        default=True, description="Whether equal requests that run at once share one call."
    )
    entry_bytes_max: int = Field(
        default=ENTRY_BYTES_MAX_DEFAULT, ge=1024, le=64 * MIB, description="Larger answers are not kept."
    )
    temperature_max: float | None = Field(
        default=None, ge=0, le=2, description="Requests that ask for more take no part; unset: all may."
    )
    error_rate: ErrorRate | None = Field(
        default=None, description="Accepted share of wrong answers among hits on similar questions."
    )
    similarity_threshold: Share | None = Field(
        default=None,
        description="Cosine from which a question is a candidate; in mode `threshold` it alone decides.",
    )
    history_max: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Exchanges before the last question up to which similar questions are looked for; all "
        "of them must be equal.",
    )
    audit_share: Share = Field(
        default=0.02,
        description="Share of hits on similar questions that are asked again beside the request, to measure "
        "errors.",
    )
    shadow_usd_per_day: float = Field(
        default=1.0,
        ge=0,
        le=1_000_000,
        description="What such calls may cost each tenant a day, per process. 0: none are made.",
    )


class CacheDefaults(Section):
    """What holds for every route that says nothing else, and where answers are kept."""

    mode: ModeName = Field(
        default=CacheMode.OFF, description="Of routes that name none, models asked for by name included."
    )
    ttl_s: CacheSeconds = Field(
        default=TTL_S_DEFAULT, description="How long an answer is fresh, where a route says nothing else."
    )
    similarity_threshold: Share = Field(
        default=0.9,
        description="Cosine from which a question is a candidate; in mode `threshold` it alone decides.",
    )
    error_rate: ErrorRate = Field(
        default=0.01, description="Accepted share of wrong answers among hits on similar questions."
    )
    l1_bytes: int = Field(
        default=256 * MIB, ge=MIB, le=2**40, description="Memory for answers, of each worker process."
    )
    l2_enabled: bool = Field(
        default=True,
        description="Whether answers are kept beside memory too: in Redis where there is one, else in "
        "`cache.db` of the data directory. They survive restarts and are shared by workers and instances.",
    )
    l2_bytes: int = Field(
        default=1024 * MIB, ge=MIB, le=2**44, description="Of `cache.db`; Redis has its own `maxmemory`."
    )
    l2_timeout_s: float = Field(
        default=0.25, gt=0, le=5, description="A slower second tier counts as a miss."
    )
    l2_encrypted: bool = Field(
        default=False,
        description="Whether answers there, and what instances tell each other about them, are under "
        "AES-256-GCM, under `l2_key` or, without one, under keys of the vault that turn with its rotations. "
        "Vectors in `pgvector` or `redis` are not, nor are those that the "
        "in-process index saves in the data directory, and a vector tells much of its question.",
    )
    l2_key: SecretStr | None = Field(
        default=None,
        description="32 bytes in base64 or hexadecimal, such as `openssl rand -base64 32` prints. What was "
        "written under another key is not found. Unset: keys of the vault.",
    )
    unheard_s: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="How long a worker serves from memory while it cannot hear of invalidations.",
    )
    embedder: str = Field(
        default="auto",
        max_length=320,
        pattern=r"^(auto|minilm|hashing|[^/\s]+/\S+)$",
        description="What compares questions: `minilm` (after `interchange models install`), `hashing` "
        "(finds other word orders and small edits only), a `provider/model` for embeddings, which costs "
        "money and time per question, or `auto`: MiniLM where it is installed, else hashing.",
    )
    precision: Annotated[Literal["int8", "fp32"], Word] = Field(
        default="int8",
        description="Of MiniLM: `int8` takes a third of the time and half of the memory and finds a little "
        "less; `fp32` is as the model was published. Questions embedded in another one are not compared.",
    )
    embedder_dimensions: int | None = Field(
        default=None,
        ge=2,
        le=16_384,
        description="Numbers in a vector of a `provider/model`; needed only where they are not known.",
    )
    models_dir: AbsolutePath | None = Field(
        default=None, description="Where models are installed; unset: `models` in the data directory."
    )
    vector_index: Annotated[Literal["in_process", "pgvector", "redis"], Word] = Field(
        default="in_process",
        description="Where similar questions are looked for; `pgvector` takes PostgreSQL, `redis` Redis 8.",
    )
    vectors_max: int = Field(
        default=1_000_000, ge=1000, le=100_000_000, description="Questions it holds; the oldest leave."
    )
    judge: tuple[str, ...] = Field(
        default=BUILT_IN_JUDGES,
        min_length=1,
        max_length=8,
        description="What says whether two answers are worth the same, in this order until one knows: "
        "`normalised` (equal but for case, spaces and marks), `embedding`, or the name of a route whose "
        "model is asked.",
    )
    shadow_concurrency: int = Field(
        default=4, ge=1, le=256, description="Calls beside requests that run at once in one process."
    )

    def seal_key(self) -> bytes | None:
        """The key of the second tier; None: there is none. Raises ValueError for one of another size."""
        if self.l2_key is None:
            return None
        text = self.l2_key.get_secret_value().strip()
        try:
            key = (
                bytes.fromhex(text)
                if len(text) == 2 * SEAL_KEY_BYTES
                else base64.b64decode(text, validate=True)
            )
        except (ValueError, binascii.Error):
            key = b""
        if len(key) != SEAL_KEY_BYTES:
            raise ValueError(f"must be {SEAL_KEY_BYTES} bytes in base64 or hexadecimal")
        return key


_OF_ROUTES: Final = frozenset(CachePolicy.__dataclass_fields__)


def cache_policy(general: CacheDefaults, own: CacheSettings | None = None) -> CachePolicy:
    """As the domain wants it: a route's keys, then the general ones, then the domain's own defaults."""
    shared = {name: getattr(general, name) for name in CacheDefaults.model_fields if name in _OF_ROUTES}
    given: dict[str, Any] = {} if own is None else dict(own)
    return CachePolicy(**shared | {name: value for name, value in given.items() if value is not None})
