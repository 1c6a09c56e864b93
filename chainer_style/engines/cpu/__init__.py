"""Engine ``cpu``: a static plan of the network, run by compiled kernels."""
