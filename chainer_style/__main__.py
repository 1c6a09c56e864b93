"""``python -m chainer_style`` is the command ``chainer-style``."""

from chainer_style.cli import main

main(prog_name="chainer-style")
