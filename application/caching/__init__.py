"""Answers kept for later: tiers, similar questions, shared calls, what runs beside requests."""
