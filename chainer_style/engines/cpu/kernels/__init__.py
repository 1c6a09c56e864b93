"""The kernels of engine ``cpu``, which numba compiles, and how a program runs them."""
