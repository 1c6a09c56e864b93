"""How a convolution is best computed: by which Winograd tile, or by windows."""

from __future__ import annotations

from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv


def tiles(network: Network, height: int, width: int) -> dict[tuple[str, bool], int]:
    """Return the results of the best tile along an axis; 0: by windows.

    By the name of the convolution, and whether it carries gradients back.

    Parameters
    ----------
    network
        With its convolutions.
    height, width
        Of the picture.
    """
    found = {}
    for node in network.nodes:
        if isinstance(node, Conv):
            small = (node.kernel, node.stride, node.groups) == (3, 1, 1)
            fits = small and node.pad <= 2 and node.inputs[0] != INPUT
            for backward in (False, True):
                found[node.name, backward] = 4 if fits else 0
    return found
