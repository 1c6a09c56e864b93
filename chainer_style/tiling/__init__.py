"""Exact gradients tile by tile, for pictures of any size; several machines on top."""
