"""Training of supernets and networks."""
