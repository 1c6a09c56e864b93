"""The steps that carry the gradients of all losses back to the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.draft import Draft
from chainer_style.engines.cuda.nodes import Back
from chainer_style.engines.cuda.onepass import Content
from chainer_style.engines.cuda.sized import Sized
from chainer_style.engines.cuda.steps import BLOCKS, Argument, Product
from chainer_style.networks import INPUT
from chainer_style.networks.nodes import Node, Pool


@dataclass(frozen=True)
class Slopes:
    """How steep the losses are, but for what Gram matrices are off by.

    Attributes
    ----------
    content
        By tap with a content loss, the factor of the features' differences.
    scale
        What all gradients are multiplied with on their way.
    partials
        By tap with a content loss, where blocks leave the squares of the differences.
    """

    content: Mapping[str, float]
    scale: float
    partials: Mapping[str, Part]


class Backward:
    """Drafts the way back, behind the way forth.

    Gradients of a map are added up by those who read it; what a ReLU stopped is masked
    by the last of them.

    Parameters
    ----------
    draft
        Of the program. What Gram matrices are off by is in ``error`` of each tap.
    sized
        The network.
    slopes
        Of the losses.
    """

    def __init__(self, draft: Draft, sized: Sized, slopes: Slopes) -> None:
        self._draft, self._sized, self._slopes = draft, sized, slopes
        self._maps, self._layers = sized.maps, sized.layers
        self._written: set[str] = set()

    def draft(self) -> None:
        """Draft all of it, up to the gradient of the picture, plane by plane."""
        for node in reversed(self._sized.network.nodes):
            if not self._maps.shares(node):
                self._finish(node.name)
                self._back(node)
        self._finish(INPUT)
        if self._sized.first.node is None:
            self._collect()

    def _finish(self, node: str) -> None:
        """Add to a gradient what begins there, when all who read the map are done."""
        sized = self._sized
        if sized.in_one_pass(node):
            return
        masked = sized.is_masked(node) and not self._masks_itself(node)
        if not sized.begins_early(node):
            self._begin(node)
        content = self._content(node)
        if content and not all(map(sized.areas.is_whole, sized.tapped(node))):
            content = None  # the gradient began with it
        if not content and not masked:
            return
        x, gx = self._maps.map(node), self._maps.gradient(node)
        self._complete(x, gx, self._layers.count(node), content, masked)

    def _complete(
        self, x: str, gx: str, count: int, content: Content | None, masked: bool
    ) -> None:
        """Add the gradient of a content loss to others of some features."""
        given: tuple[Argument, ...] = (x, None, gx, None, count, 0.0, int(masked))
        if content:
            numbers = (count, content.slope, int(masked))
            given = (x, content.features, gx, content.partial, *numbers)
        self._draft.launch("complete", given, count, BLOCKS)

    def _content(self, node: str) -> Content | None:
        """Return the content loss at a map, if there is one."""
        slopes = self._slopes
        found = [tap for tap in self._sized.tapped(node) if tap in slopes.content]
        if not found:
            return None
        (tap,) = found
        slope = slopes.scale * slopes.content[tap]
        return Content(f"content {tap}", slope, slopes.partials[tap])

    def _begin(self, node: str) -> None:
        """Begin with the gradients of losses at a map, or add them.

        Those of style losses, and of content losses where not all positions count.
        """
        areas, layers = self._sized.areas, self._layers
        for tap in self._sized.tapped(node):
            gx = self._gradient(tap)
            x, adding = areas.take(self._draft, tap), gx in self._written
            whole, channels = areas.is_whole(tap), layers.channels(tap)
            out = gx if whole else self._draft.buffer(f"part {tap}", areas.size(tap))
            sizes = (areas.positions(tap), channels, channels)
            given = (tap, x, f"error {tap}", out, *sizes)
            product = Product(*given, adding=adding and whole)
            self._draft.steps.append(product)
            if not whole:
                if tap in self._slopes.content:
                    count = areas.positions(tap) * channels
                    self._complete(x, out, count, self._content(tap), masked=False)
                areas.give(self._draft, tap, out, adding)
            self._written.add(gx)

    def _gradient(self, node: str) -> str:
        """Have a buffer for the gradient of a node's map."""
        return self._draft.buffer(self._maps.gradient(node), self._layers.size(node))

    def _masks_itself(self, node: str) -> bool:
        """Whether the only one who reads a map is the last to add, and can mask."""
        if self._content(node):
            return False
        alone = len(self._maps.reading(node)) == 1
        taps = self._sized.tapped(node)
        return alone and (not taps or self._sized.begins_early(node))

    def _back(self, node: Node) -> None:
        """Carry the gradient of a node's output to its inputs."""
        sized, draft = self._sized, self._draft
        if node is sized.first.node:
            self._end(node)
            return
        if node is sized.second():
            for name, size in sized.first.room().items():
                draft.buffer(name, size)
            gy, signs = self._maps.gradient(node.name), signs_of(draft, sized)
            draft.steps.append(sized.first.back(node, gy, signs))
            return
        for index, name in enumerate(node.inputs):
            self._carry(node, index, name)

    def _carry(self, node: Node, index: int, name: str) -> None:
        """Carry it to one input."""
        sized, maps, draft = self._sized, self._maps, self._draft
        gx, one_pass = self._gradient(name), sized.in_one_pass(name)
        room = draft.buffer(f"second {gx}", self._layers.size(name))
        if sized.begins_early(name) and not one_pass:
            self._begin(name)
        alone = sized.is_masked(name) and (one_pass or self._masks_itself(name))
        masked, adding = name in maps.lazy or alone, gx in self._written
        y, gy = maps.map(node.name), maps.gradient(node.name)
        ends = index, maps.map(name), y, gy, gx, room
        given = Back(*ends, masked, adding, alone)
        if isinstance(node, Pool) and one_pass:
            (tap,) = sized.tapped(name)
            region, content = sized.areas.region(tap), self._content(name)
            draft.steps.append(sized.one.tapped(node, tap, given, content, region))
        else:
            draft.steps += self._layers.back(node, given)
        self._written.add(gx)

    def _end(self, node: Node) -> None:
        """Carry the gradient of the first convolution to the picture."""
        sized, scale = self._sized, 1 / self._slopes.scale
        if sized.second() is not None:
            self._draft.steps.append(sized.first.assemble(scale))
        else:
            gy, signs = self._maps.gradient(node.name), signs_of(self._draft, sized)
            self._draft.steps.append(sized.first.end(gy, signs, scale))

    def _collect(self) -> None:
        """Take the picture's gradient out of the network."""
        planes, height, width = self._sized.shapes[INPUT]
        pixels = height * width
        numbers = (pixels, planes, self._layers.channels(INPUT), 1 / self._slopes.scale)
        given = (self._maps.gradient(INPUT), "slope", *numbers)
        self._draft.launch("collect", given, pixels)


def signs_of(draft: Draft, sized: Sized) -> str | None:
    """Return what the first convolution's gradient is masked with, if it is."""
    first = sized.first
    assert first.node is not None
    if first.node.name not in sized.maps.fused:
        return None
    return draft.buffer("signs", first.signs())
