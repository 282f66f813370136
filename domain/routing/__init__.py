"""Who answers a request: names, hard demands, strategies, the plan, and why it came out as it did."""
