"""What may be answered from an earlier answer: keys, policy, freshness, invalidation, verified reuse."""
