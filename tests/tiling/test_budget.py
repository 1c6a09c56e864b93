"""What tiles take is predicted, and stays within what they may."""

from __future__ import annotations

import json

import children
import pytest

# The limit is on addresses, of which there are at least as many as bytes in memory:
# what the engine asks for counts at once, and fails beyond. A limit on memory itself
# needs rights that a test does not have; so the peak is measured too. What the limit
# would count although no memory is behind it comes before: threads' stacks, kernels, a
# first transfer.
PAINT = """
import json, re
import numpy as np
from PIL import Image
from chainer_style import memory, transfer
from chainer_style.engines.base import Device
from chainer_style.errors import UserError
from chainer_style.tiling.create import Limits

def picture(width, height, seed):
    random = np.random.RandomState(seed)
    pixels = random.randint(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((width, height))

def prepare(width, limits, **more):
    pictures = picture(width, width * 3 // 4, 1), picture(width, width * 2 // 3, 2)
    return transfer.prepare(
        *pictures, protocol="{protocol}", model="{name}", width=width, weights="seeded",
        engine="cpu", device=Device(threads=2), limits=limits, iterations=2, **more
    )

memory.return_at_once()
sum(iterate.index for iterate in prepare(104, Limits()).run())
memory.trim()
try:
    prepare({size}, Limits(1))
except UserError as error:
    least = int("".join(re.findall("[0-9]", str(error).partition("take")[2][:8])))
budget = (least + {more}) * 2**20
memory.trim()
memory.forget_peak()
memory.limit(budget - memory.resident())
job = prepare({size}, Limits(budget), scales={scales})
for iterate in job.run():
    iterate.losses
iterate.picture.save("{folder}/final.png")
cut = job.engine.cut
print(json.dumps([len(cut.grid.tiles), budget, cut.total, memory.peak()]))
"""

MIB = 2**20


def paint(**given):
    found = children.run(PAINT.format(**given), MALLOC_ARENA_MAX=1)
    return json.loads(found)


@pytest.mark.parametrize(
    ("name", "protocol", "size", "more", "scales"),
    [
        ("vgg16", "modern", 704, 8, 1),
        ("vgg16", "modern", 704, 60, 1),
        ("nin", "2016", 900, 8, 1),
        ("nin", "modern", 900, 30, 1),
        pytest.param("vgg16", "modern", 1024, 60, 2, marks=pytest.mark.slow),
        pytest.param("vgg16", "modern", 1400, 200, 1, marks=pytest.mark.slow),
    ],
)
def test_the_peak_is_as_predicted(name, protocol, size, more, scales, tmp_path):
    """In the tightest budget that is not refused, and in some more."""
    tiles, budget, predicted, peak = paint(
        name=name,
        protocol=protocol,
        size=size,
        more=more,
        scales=scales,
        folder=tmp_path,
    )
    assert tiles > 1
    assert peak <= budget
    assert peak == pytest.approx(predicted, rel=0.15)
