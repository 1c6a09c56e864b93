"""Fuzz the reader of the package's own store.

    python tests/fuzz/store_reader.py --inputs 20000

The inputs are changed copies of a good store, input for input the same in every
run: attributes, arrays, groups and links changed through HDF5 itself, single bytes
behind its back, or both. The HDF5 library may crash; then the input is noted, and
another process goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[i]) for i in (0, 1, 2)]

import campaign  # noqa: E402

import chainer_style  # noqa: F401, E402


def main() -> None:
    """Fuzz, or be the child that does."""
    given = campaign.parser(__doc__, inputs=20_000).parse_args()
    if given.child:
        folder, (first, end) = Path(given.child[0]), given.child[1].split(":")
        _mutations(folder, int(first), int(end))
        return
    tally = campaign.run(given, [__file__])
    engine = "changed copies of a good store"
    campaign.report("chainer_style.weights.store", engine, tally, given.record)


def _mutations(folder: Path, first: int, end: int) -> None:
    import inputs
    import verdicts

    trials = campaign.Trials(folder, verdicts.store_verdict)
    good, path = folder / "good.h5", folder / "w.h5"
    inputs.write_store(good)
    content = good.read_bytes()
    for number in range(first, end):
        path.write_bytes(content)
        inputs.store_input(number, path)
        trials.try_one(number, path)
    trials.finish()


if __name__ == "__main__":
    main()
