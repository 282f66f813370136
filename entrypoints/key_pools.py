"""Several keys of one provider, from the configuration to what a pool knows of them."""

from domain.resilience.key_pool import PoolKey
from entrypoints.provisioned import ProvisionedKey
from entrypoints.settings import ProviderSettings


def pool_of(section: ProviderSettings) -> tuple[ProvisionedKey, ...]:
    """The keys that make a pool: several, or one with declared limits. A lone key without limits is no pool.

    Ids are the names in the configuration, else `key1`, `key2` by their place. Of a secret the pool knows
    only whether it changed.
    """
    keys = section.keys
    if len(keys) == 1 and keys[0].rpm is None and keys[0].tpm is None:
        return ()
    made: list[ProvisionedKey] = []
    for place, key in enumerate(keys, start=1):
        secret = key.key.get_secret_value()
        pool = PoolKey(
            id=key.name or f"key{place}",
            weight=key.weight,
            rpm=key.rpm,
            tpm=key.tpm,
            account=key.account or "",
            mark=hash(secret),
        )
        made.append(ProvisionedKey(secret=secret, pool=pool))
    return tuple(made)
