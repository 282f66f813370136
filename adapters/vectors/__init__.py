"""Nearest vectors in this process."""
