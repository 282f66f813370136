"""Opens what recordings are kept in. A part of the composition root: it names adapters."""

import random

from adapters.crypto.ed25519 import Ed25519Signing
from adapters.crypto.entry_seal import AesGcmEntrySeal, key_of_this_process
from adapters.sql.database import Database
from adapters.sql.recordings import SqlRecordings
from adapters.system.clock import SystemClock
from application.recording_keys import RECORDING_KEYS, RecordingKeys
from application.vault_own_keys import OwnKeys
from entrypoints.recording import Recording, make_recording
from entrypoints.settings import Settings
from entrypoints.vaulting import Vaulting


def open_recording(
    settings: Settings,
    database: Database,
    scoped: Database,
    vaulting: Vaulting,
    clock: SystemClock,
    chance: random.Random,
) -> Recording:
    """Asks nobody yet; `scoped` is the database as far as whoever asks reaches."""
    seal = AesGcmEntrySeal(key_of_this_process())  # until the vault's keys are there, which is awaited
    own = OwnKeys(vaulting.vault, Ed25519Signing().new_seed, RECORDING_KEYS)
    keys = RecordingKeys(own, vaulting.vault.store.generation, seal.use, clock)
    return make_recording(
        settings, SqlRecordings(database, seal), SqlRecordings(scoped, seal), keys, seal, clock, chance
    )
