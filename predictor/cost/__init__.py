"""What a model costs: operations, instructions, latency, energy, with intervals."""
