"""What a network costs: exactly, and as an expectation over decisions."""
