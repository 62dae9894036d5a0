"""In the place of pyrenode3: the part of its interface that the worker uses, on monitor.py.

Like pyrenode3 it is no Renode itself: its environment must name one, and a runtime that can run it.
"""

import os

if os.environ.get("PYRENODE_RUNTIME", "mono") != "coreclr":
    raise ImportError("Using mono portable binary is not supported.")
if sum(bool(os.environ.get(f"PYRENODE_{x}")) for x in ("BIN", "PKG", "BUILD_DIR")) != 1:
    raise ImportError("Renode not found. Please do one of following actions: ...")
