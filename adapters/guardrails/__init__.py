"""Guardrails that need somebody else."""
