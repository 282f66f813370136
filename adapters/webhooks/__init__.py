"""Signing, sending and verifying webhooks."""
