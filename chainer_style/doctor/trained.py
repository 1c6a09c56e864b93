"""Which networks have trained weights here."""

from __future__ import annotations

from collections.abc import Iterator

from chainer_style.doctor.findings import Check, Finding, Lacking
from chainer_style.text import size

SECTION = "Trained weights"


def findings() -> Iterator[Finding]:
    """Yield one finding per network."""
    from chainer_style.networks import NETWORKS
    from chainer_style.weights import registry

    for name, network in NETWORKS.items():
        fetched = name in registry.names()
        yield Check(
            SECTION,
            network.title,
            "paints better than self-taught ones",
            lambda name=name: _look(name),  # type: ignore[misc]
            remedy=f"chainer-style weights fetch {name}" if fetched else None,
            lacking="optional",
        ).run()


def _look(network: str) -> str:
    from chainer_style.weights import folder

    if (path := folder.trained(network)) is None:
        raise Lacking("not here")
    if path.suffix == ".h5":
        from chainer_style.weights import store

        with store.opened(path):  # refuses what is damaged
            pass
    return f"{path.name}, {size(path.stat().st_size)}"
