"""What keeps one sick upstream from making everything sick: breaker, backoff, retry budget."""
