"""From a trained network to a proven model file."""
