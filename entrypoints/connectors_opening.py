"""Opens what tools of integrations need: connectors, their pools, their ways out."""
