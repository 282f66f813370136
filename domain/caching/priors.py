"""Which prior knowledge fits an embedder."""

from typing import Final

from domain.caching.pair_features import LEXICAL
from domain.caching.prior import ONLINE, Prior
from domain.caching.prior_minilm import MINILM

_LEARNED: Final = (MINILM,)


def prior_of(embedder_id: str) -> Prior:
    """What was learned with embedders of its family, or else nothing: then a route has to teach it all, and
    until it has, nothing is served."""
    family = embedder_id.partition("/")[0]
    return next((prior for prior in _LEARNED if prior.embedder == family), _unknowing(embedder_id))


def _unknowing(embedder_id: str) -> Prior:
    size, weights = len(LEXICAL), len(ONLINE)
    return Prior(
        embedder=embedder_id,
        means=(0.0,) * size,
        scales=(1.0,) * size,
        hidden=(),
        out=(0.0,),
        weights=(0.0,) * weights,
        variances=(4.0,) * weights,
    )
