"""Engine ``cuda``: a static plan on an NVIDIA GPU, replayed as one CUDA graph."""
