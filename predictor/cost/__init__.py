"""Work of a model: operation counts per operator."""
