"""Fuzz the Caffe reader.

    python tests/fuzz/caffe_reader.py --inputs 100000

With atheris (``pip install atheris``) the inputs are guided by what of the reader's
code they reach; without it, or with ``--engine mutations``, they are changed copies
of good files, input for input the same in every run. Each is read to its end. What
is read has to be what protobuf reads; what is not, refused in one printable line.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import random
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[i]) for i in (0, 1, 2)]

import campaign  # noqa: E402

NAME = "m.caffemodel"


def main() -> None:
    """Fuzz, or be the child that does."""
    options = campaign.parser(__doc__, inputs=100_000)
    has_atheris = importlib.util.find_spec("atheris") is not None
    options.add_argument(
        "--engine",
        choices=("atheris", "mutations"),
        default="atheris" if has_atheris else "mutations",
    )
    given = options.parse_args()
    if given.child:
        folder, (first, end) = Path(given.child[0]), given.child[1].split(":")
        child = {"atheris": _guided, "mutations": _mutations}[given.engine]
        child(folder, int(first), int(end))
        return
    tally = campaign.run(given, [__file__, "--engine", given.engine])
    engine = "changed copies of good files"
    if given.engine == "atheris":
        engine = f"atheris {importlib.metadata.version('atheris')}, guided by coverage"
    campaign.report("chainer_style.weights.caffe", engine, tally, given.record)


def _trials(folder: Path) -> campaign.Trials:
    import verdicts
    from chainer.links.caffe.protobuf3 import caffe_pb2

    verdict = functools.partial(verdicts.caffe_verdict, messages=caffe_pb2)
    return campaign.Trials(folder, verdict)


def _mutations(folder: Path, first: int, end: int) -> None:
    import inputs

    trials, path, valid = _trials(folder), folder / NAME, inputs.caffe_models()
    for number in range(first, end):
        path.write_bytes(inputs.caffe_input(number, valid))
        trials.try_one(number, path)
    trials.finish()


def _guided(folder: Path, first: int, end: int) -> None:
    import atheris

    import chainer_style

    with atheris.instrument_imports(include=["chainer_style.weights"]):
        import chainer_style.weights.caffe  # noqa: F401
    import inputs

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for i, valid in enumerate((*inputs.caffe_models(), *inputs.OTHERS)):
        (corpus / str(i)).write_bytes(valid)
    trials, path = _trials(folder), folder / NAME

    def try_one(data: bytes) -> None:
        path.write_bytes(data)
        trials.try_one(first + trials.tally.inputs, path)
        if first + trials.tally.inputs == end:
            trials.finish()
            os._exit(0)  # libFuzzer never returns

    def change(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if data and chance.random() < 0.5:
            return inputs.mutated(chance, data)[:most]
        return bytes(atheris.Mutate(data, most))

    words = [f"-seed={first + 1}", "-max_len=4096", f"-artifact_prefix={folder}/"]
    words = ["fuzz", *words, "-verbosity=0", str(corpus)]
    atheris.Setup(words, try_one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
