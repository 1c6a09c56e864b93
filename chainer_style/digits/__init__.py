"""Handwritten digits, and a small network that learns them with Chainer's trainer.

What the companion document "GPUs and CNN" did in Keras; see
`chainer_style.experiments.digits`, and ``python -m chainer_style.digits``.
"""
