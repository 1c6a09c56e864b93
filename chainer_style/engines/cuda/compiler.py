"""From a network's graph to a program: forward, and back to the picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.draft import Draft
from chainer_style.engines.cuda.first import First
from chainer_style.engines.cuda.maps import Maps
from chainer_style.engines.cuda.nodes import Back, Layers
from chainer_style.engines.cuda.objective import Objective, TapTerms
from chainer_style.engines.cuda.onepass import Content, OnePass
from chainer_style.engines.cuda.steps import (
    BLOCKS,
    FLOAT,
    Argument,
    Product,
    Program,
    Units,
)
from chainer_style.engines.steps import BETA1, BETA2
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Node, Pool


class Compiler:
    """Drafts the programs of one network for pictures of one size.

    Gradients of a map are added up by those who read it; what a ReLU stopped is masked
    by the last of them. Which nodes share a map: see `Maps`.

    Parameters
    ----------
    network
        Up to its taps.
    height, width
        Of the picture.
    width_of_feature
        Bytes of a feature.
    units
        What kernels may multiply with.

    Raises
    ------
    UserError
        If the network has a node that no kernel computes.
    """

    def __init__(
        self,
        network: Network,
        height: int,
        width: int,
        width_of_feature: int,
        *,
        units: Units = Units.NONE,
    ) -> None:
        self._network = network
        self.shapes = network.shapes(height, width)
        self._taps = {tap.node for tap in network.taps}
        self._layers = Layers(self.shapes, width_of_feature)
        self._one = OnePass(self._layers, units)
        self._first = First(network, self._layers, units)
        self._maps = Maps(network, self._layers)

    def map(self, node: str) -> str:
        """Return the buffer that holds a node's output."""
        return self._maps.map(node)

    # -- programs ----------------------------------------------------------

    def features(self, *, grams: bool) -> Program:
        """Return the program that computes features at the taps.

        Parameters
        ----------
        grams
            Whether Gram matrices are wanted; else the features themselves.
        """
        draft = Draft()
        self._forward(draft, grams=grams)
        kept = (f"gram {t}" if grams else self.map(t) for t in self._taps)
        return draft.program(kept)

    def iteration(self, objective: Objective, epsilon: float | None) -> Program:
        """Return the program of an iteration.

        Parameters
        ----------
        objective
            The losses.
        epsilon
            Of Adam; None: the picture is not moved.
        """
        draft = Draft()
        self._forward(draft, grams=True)
        for terms in objective.taps:
            self._compare(draft, terms, objective)
        written: set[str] = set()
        for node in reversed(self._network.nodes):
            if not self._maps.shares(node):
                self._finish(draft, node.name, objective, written)
                self._back(draft, node, objective, written)
        self._finish(draft, INPUT, objective, written)
        self._collect(draft, objective)
        count = len(objective.terms)
        given = ("partial", "weights", "losses", "counter", BLOCKS)
        draft.launch("tell", given, count, count)
        if epsilon is not None:
            self._move(draft, epsilon)
        return draft.program(())

    def _forward(self, draft: Draft, *, grams: bool) -> None:
        layers, one, first = self._layers, self._one, self._first
        if first.node is None:
            self._spread(draft)
        for node in self._network.nodes:
            if self._maps.shares(node):
                continue
            inputs = [self.map(name) for name in node.inputs]
            y = draft.buffer(self.map(node.name), layers.size(node.name))
            rectified = (
                node.name in self._maps.fused or node.inputs[0] in self._maps.lazy
            )
            for name, size in layers.beside(node).items():
                draft.buffer(name, size)
            tap = self._pooled_tap(node) if grams else None
            if node is first.node:
                draft.steps.append(first.begin(y, self._signs(draft)))
            elif isinstance(node, Pool) and tap:
                draft.buffer(f"parts {tap}", one.parts(node))
                self._gram_buffer(draft, tap)
                draft.steps += one.gram(node, inputs[0], y, tap, rectified)
            elif first.is_grouped(node):
                draft.steps.append(first.convolution(node, inputs[0], y, rectified))
            else:
                draft.steps += layers.forward(node, inputs, y, rectified)
        for name in dict.fromkeys(tap.node for tap in self._network.taps):
            if grams and not draft.has(f"gram {name}"):
                self._gram(draft, name)

    def _spread(self, draft: Draft) -> None:
        """Begin with the picture as a map."""
        planes, height, width = self.shapes[INPUT]
        x = draft.buffer(self.map(INPUT), self._layers.size(INPUT))
        channels, pixels = self._layers.channels(INPUT), height * width
        given = ("picture", x, "counter", pixels, planes, channels)
        draft.launch("spread", given, pixels)

    def _signs(self, draft: Draft) -> str | None:
        """Return what the first convolution's gradient is masked with, if it is."""
        assert self._first.node is not None
        if self._first.node.name not in self._maps.fused:
            return None
        return draft.buffer("signs", self._first.signs())

    def _pooled_tap(self, node: Node) -> str | None:
        """Return the tap whose Gram matrix the step of a pooling gives, too."""
        if not isinstance(node, Pool) or not self._one.has_gram(node):
            return None
        where = self._maps.where[node.inputs[0]]
        taps = [name for name in self._taps if self._maps.where[name] == where]
        return taps[0] if len(taps) == 1 else None

    def _gram_buffer(self, draft: Draft, node: str) -> str:
        return draft.buffer(f"gram {node}", FLOAT * self._layers.channels(node) ** 2)

    def _gram(self, draft: Draft, node: str) -> None:
        shape, channels = self.shapes[node], self._layers.channels(node)
        gram = self._gram_buffer(draft, node)
        x, positions = self.map(node), shape.height * shape.width
        sizes = (channels, channels, positions)
        draft.steps.append(Product(node, x, x, gram, *sizes, transposed=True))

    def _compare(self, draft: Draft, terms: TapTerms, objective: Objective) -> None:
        """Make of a Gram matrix what the gradient is made with."""
        node, channels = terms.tap.node, self._layers.channels(terms.tap.node)
        error = draft.buffer(f"error {node}", self._layers.bytes * channels**2)
        slope = objective.scale * terms.style_slope
        partial = self._partial(objective, "style", node)
        given = (f"gram {node}", f"style {node}", error, partial)
        numbers = (channels**2, terms.mean, slope)
        draft.launch("compare", (*given, *numbers), channels**2, BLOCKS)

    def _partial(self, objective: Objective, kind: str, node: str) -> Part:
        index = objective.terms.index((kind, node))
        return Part("partial", FLOAT * BLOCKS * index)

    # -- back --------------------------------------------------------------

    def _tapped(self, node: str, objective: Objective) -> list[TapTerms]:
        where = self._maps.where[node]
        return [t for t in objective.taps if self._maps.where[t.tap.node] == where]

    def _is_masked(self, node: str) -> bool:
        """Whether gradients of a node's map are to be masked, for a ReLU in it.

        What carries back the gradient of the first convolution does that itself.
        """
        first = self._first.node
        own = (
            first is not None and self._maps.where[node] == self._maps.where[first.name]
        )
        return self._maps.where[node] in self._maps.fused.values() and not own

    def _finish(
        self, draft: Draft, node: str, objective: Objective, written: set[str]
    ) -> None:
        """Add to a gradient what begins there, when all who read the map are done."""
        taps = self._tapped(node, objective)
        if self._one_pass(node, taps):
            return
        masked = self._is_masked(node) and not self._masks_itself(node, objective)
        if not self._begins_early(node):
            self._begin(draft, taps, written)
        content = self._content(taps, objective)
        if not content and not masked:
            return
        x, gx = self.map(node), self._maps.gradient(node)
        count = self._layers.count(node)
        given: tuple[Argument, ...] = (x, None, gx, None, count, 0.0, int(masked))
        if content:
            numbers = (count, content.slope, int(masked))
            given = (x, content.features, gx, content.partial, *numbers)
        draft.launch("complete", given, count, BLOCKS)

    def _content(
        self, taps: Iterable[TapTerms], objective: Objective
    ) -> Content | None:
        """Return the content loss at a map, if there is one."""
        found = [terms for terms in taps if terms.content_slope]
        if not found:
            return None
        (terms,) = found
        node, slope = terms.tap.node, objective.scale * terms.content_slope
        place = self._partial(objective, "content", node)
        return Content(f"content {node}", slope, place)

    def _begin(self, draft: Draft, taps: Iterable[TapTerms], written: set[str]) -> None:
        """Begin with the gradients of style losses, or add them."""
        for terms in taps:
            node = terms.tap.node
            shape, channels = self.shapes[node], self._layers.channels(node)
            gx = draft.buffer(self._maps.gradient(node), self._layers.size(node))
            sizes = (shape.height * shape.width, channels, channels)
            given = (node, self.map(node), f"error {node}", gx, *sizes)
            draft.steps.append(Product(*given, adding=gx in written))
            written.add(gx)

    def _begins_early(self, node: str) -> bool:
        """Whether the only one who reads a map adds to gradients of its losses.

        A pooling does, and masks the sum: nobody goes through all of it once more.
        """
        readers = self._maps.reading(node)
        return len(readers) == 1 and isinstance(readers[0], Pool)

    def _one_pass(self, node: str, taps: Sequence[TapTerms]) -> bool:
        """Whether a kernel gives all of the gradient of a map that a pooling reads."""
        if len(taps) != 1 or not self._begins_early(node):
            return False
        (pool,) = self._maps.reading(node)
        return isinstance(pool, Pool) and self._one.has_tapped(pool)

    def _masks_itself(self, node: str, objective: Objective) -> bool:
        """Whether the only one who reads a map is the last to add, and can mask."""
        taps = self._tapped(node, objective)
        if any(terms.content_slope for terms in taps):
            return False
        return len(self._maps.reading(node)) == 1 and (
            not taps or self._begins_early(node)
        )

    def _back(
        self, draft: Draft, node: Node, objective: Objective, written: set[str]
    ) -> None:
        """Carry the gradient of a node's output to its inputs."""
        if node is self._first.node:
            self._end(draft, node, objective)
            return
        if node is self._second():
            for name, size in self._first.room().items():
                draft.buffer(name, size)
            gy, signs = self._maps.gradient(node.name), self._signs(draft)
            draft.steps.append(self._first.back(node, gy, signs))
            return
        y, gy = self.map(node.name), self._maps.gradient(node.name)
        for index, name in enumerate(node.inputs):
            taps = self._tapped(name, objective)
            gx = draft.buffer(self._maps.gradient(name), self._layers.size(name))
            room = draft.buffer(f"second {gx}", self._layers.size(name))
            one_pass = self._one_pass(name, taps)
            if self._begins_early(name) and not one_pass:
                self._begin(draft, taps, written)
            alone = self._is_masked(name) and (
                one_pass or self._masks_itself(name, objective)
            )
            masked, adding = name in self._maps.lazy or alone, gx in written
            ends = index, self.map(name), y, gy, gx, room
            given = Back(*ends, masked, adding, alone)
            if isinstance(node, Pool) and one_pass:
                tap, content = taps[0].tap.node, self._content(taps, objective)
                draft.steps.append(self._one.tapped(node, tap, given, content))
            else:
                draft.steps += self._layers.back(node, given)
            written.add(gx)

    def _second(self) -> Node | None:
        """Return the convolution whose gradient goes back to the picture at once.

        It alone reads the first one, and there are kernels for both.
        """
        first = self._first.node
        if first is None:
            return None
        where, readers = self._maps.where[first.name], self._maps.reading(first.name)
        tapped = any(self._maps.where[name] == where for name in self._taps)
        if tapped or len(readers) != 1 or not self._first.is_grouped(readers[0]):
            return None
        return readers[0]

    def _end(self, draft: Draft, node: Node, objective: Objective) -> None:
        """Carry the gradient of the first convolution to the picture."""
        scale = 1 / objective.scale
        if self._second() is not None:
            draft.steps.append(self._first.assemble(scale))
        else:
            given = self._maps.gradient(node.name), self._signs(draft), scale
            draft.steps.append(self._first.end(*given))

    def _collect(self, draft: Draft, objective: Objective) -> None:
        """Take the picture's gradient out of the network, and complete it."""
        planes, height, width = self.shapes[INPUT]
        pixels, weight = height * width, objective.variation
        if self._first.node is None:
            numbers = (pixels, planes, self._layers.channels(INPUT))
            given = (self._maps.gradient(INPUT), "slope", *numbers, 1 / objective.scale)
            draft.launch("collect", given, pixels)
        if weight:
            # One picture of a row, or of a column, has no differences there.
            down = weight / max(planes * (height - 1) * width, 1)
            right = weight / max(planes * height * (width - 1), 1)
            partial = self._partial(objective, "variation", "")
            extents = (height, width, planes, down, right)
            ends = ("picture", "slope", partial)
            draft.launch("vary", (*ends, *extents), planes * pixels, BLOCKS)

    def _move(self, draft: Draft, epsilon: float) -> None:
        planes, height, width = self.shapes[INPUT]
        moments = ("picture", "first", "second", "slope")
        given = (*moments, "bounds", "rates", "counter", height * width, planes)
        numbers = (BETA1, BETA2, epsilon)
        draft.launch("move", (*given, *numbers), planes * height * width)
