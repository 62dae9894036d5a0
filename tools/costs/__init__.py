"""Costs of the kernels' loops: layers are counted on an emulated core, and the costs fitted."""
