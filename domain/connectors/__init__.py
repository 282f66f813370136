"""What agents reach besides models: databases, APIs, files, other tools. Their rules, without their wires."""
