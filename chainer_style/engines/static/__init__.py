"""Engine ``numpy``: a static plan of the network, run by NumPy alone."""
