"""What operators compute, whatever runs them: small values, shapes, and how often they run."""
