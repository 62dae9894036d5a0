"""What is searched: decision nodes, supernets and their backbones."""
