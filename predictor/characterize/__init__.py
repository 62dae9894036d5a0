"""Random layers and models, and what they cost: section 3 of the MicroNets paper."""
