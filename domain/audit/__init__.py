"""The trail that cannot be changed unnoticed: entries, chains, the log over them, and its checkpoints."""
