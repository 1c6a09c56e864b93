"""The published files of trained weights, as reStructuredText, from the registry."""

from __future__ import annotations

from collections.abc import Iterator

from facts import parameters

from chainer_style import networks
from chainer_style.report import arithmetic
from chainer_style.report.rst import escaped, literal, table
from chainer_style.weights.registry import ORIGINALS, Original


def overview() -> str:
    """Return a table of the files: what they are called, weigh, and allow."""
    head = ["Network", "Name", "Source", "To download", "To keep", "Licence"]
    rows = [
        [
            title(original),
            literal(original.network),
            literal(original.layout),
            ("" if original.is_size_exact else "about ") + megabytes(original.size),
            megabytes(kept(original)),
            original.licence,
        ]
        for original in ORIGINALS
    ]
    return table(head, rows)


def details() -> str:
    """Return a section for every file: its checksums, its addresses, who says so."""
    return "\n".join("\n".join(section(original)) for original in ORIGINALS)


def section(original: Original) -> Iterator[str]:
    """Yield the lines of a file's section."""
    heading = literal(original.name)
    yield f"{heading}\n{'~' * len(heading)}\n"
    size = f"{original.size:,} bytes" if original.is_size_exact else "not known exactly"
    yield f":Network: {title(original)}"
    yield f":Size: {size}"
    for algorithm, digest in original.checksums:
        yield f":{algorithm.upper()}: {literal(digest)}"
    if not original.checksums:
        yield ":Checksum: none is published that we would trust"
    yield f":Published: {escaped(original.source)}"
    yield f":Licence: {original.licence} ({escaped(original.licence_source)})"
    yield ":Addresses:"
    for mirror in original.mirrors:
        yield f"   * {mirror.url} ({escaped(mirror.source)})"
    yield ""


def title(original: Original) -> str:
    """Return the name of the network to print."""
    return networks.NETWORKS[original.network].title


def kept(original: Original) -> int:
    """Return the bytes of the numbers that are kept of a file once it is converted."""
    network = networks.NETWORKS[original.network]
    return arithmetic.FLOAT * parameters(network.upto_taps())


def megabytes(size: int) -> str:
    """Return a size in units of a million bytes."""
    return f"{size / 1e6:.0f} MB"
