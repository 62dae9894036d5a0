"""In the place of pyrenode3: the part of its interface that the worker uses, on monitor.py."""
