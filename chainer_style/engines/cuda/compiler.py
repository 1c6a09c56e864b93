"""From a network's graph to programs: of a whole picture, or of a tile of one."""

from __future__ import annotations

from collections.abc import Iterable

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.backward import Backward, Slopes, signs_of
from chainer_style.engines.cuda.draft import Draft
from chainer_style.engines.cuda.moving import moving, variation
from chainer_style.engines.cuda.objective import Objective, TapTerms
from chainer_style.engines.cuda.sized import Sized
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Product, Program
from chainer_style.networks import INPUT
from chainer_style.networks.nodes import Node, Pool


class Compiler:
    """Drafts the programs of one network for pictures of one size.

    Parameters
    ----------
    sized
        The network, of that size.

    Raises
    ------
    UserError
        If the network has a node that no kernel computes.
    """

    def __init__(self, sized: Sized) -> None:
        self._sized = sized
        self._network, self.shapes = sized.network, sized.shapes
        self._layers, self._areas = sized.layers, sized.areas

    def map(self, node: str) -> str:
        """Return the buffer that holds the features of a node that count."""
        if node in self._sized.taps:
            return self._areas.features(node)
        return self._sized.maps.map(node)

    # -- of a whole picture --------------------------------------------------

    def features(self, taps: Iterable[str]) -> Program:
        """Return the program that computes features at some taps; see `map`."""
        draft = Draft()
        self._forward(draft, grams=False)
        return draft.program([self._areas.take(draft, tap) for tap in taps])

    def grams(self) -> Program:
        """Return the program that computes all taps' Gram matrices."""
        draft = Draft()
        self._forward(draft, grams=True)
        return draft.program(f"gram {tap}" for tap in self._sized.taps)

    def iteration(
        self, objective: Objective, epsilon: float | None, *, by_pixel: bool = False
    ) -> Program:
        """Return the program of an iteration.

        Parameters
        ----------
        objective
            The losses.
        epsilon
            Of Adam; None: the picture is not moved.
        by_pixel
            Whether to clip as the program of 2016 did.
        """
        draft = Draft()
        self._forward(draft, grams=True)
        for terms in objective.taps:
            self._compare(draft, terms, objective)
        content = {
            terms.tap.node: terms.content_slope
            for terms in objective.taps
            if terms.content_slope
        }
        partials = {tap: _partial(objective, "content", tap) for tap in content}
        slopes = Slopes(content, objective.scale, partials)
        Backward(draft, self._sized, slopes).draft()
        self._vary(draft, objective)
        count = len(objective.terms)
        given = ("partial", "weights", "losses", "counter", BLOCKS)
        draft.launch("tell", given, count, count)
        if epsilon is not None:
            planes, height, width = self.shapes[INPUT]
            draft.steps += moving(planes, height * width, epsilon, by_pixel=by_pixel)
        return draft.program(())

    # -- of a tile -------------------------------------------------------------

    def sums(self) -> Program:
        """Return the program that adds products of a tile's own features to others'."""
        draft = Draft(given={f"gram {tap}" for tap in self._sized.taps})
        self._forward(draft, grams=True, adding=True)
        return draft.program(())

    def gradient(self, slopes: Slopes) -> Program:
        """Return the program of the gradient of a tile's own losses.

        Parameters
        ----------
        slopes
            Of the losses.
        """
        draft = Draft()
        self._forward(draft, grams=False)
        Backward(draft, self._sized, slopes).draft()
        return draft.program(())

    # -- the way forth ---------------------------------------------------------

    def _forward(self, draft: Draft, *, grams: bool, adding: bool = False) -> None:
        sized = self._sized
        if sized.first.node is None:
            self._spread(draft)
        for node in self._network.nodes:
            if not sized.maps.shares(node):
                self._compute(draft, node, grams, adding)
        for tap in dict.fromkeys(sized.taps):
            if grams and not any(map(sized.pooled_tap, self._readers(tap))):
                self._gram(draft, tap, adding)

    def _readers(self, tap: str) -> list[Node]:
        return self._sized.maps.reading(tap)

    def _compute(self, draft: Draft, node: Node, grams: bool, adding: bool) -> None:
        """Draft the steps of one node."""
        sized, layers, maps = self._sized, self._layers, self._sized.maps
        inputs = [maps.map(name) for name in node.inputs]
        y = draft.buffer(maps.map(node.name), layers.size(node.name))
        rectified = node.name in maps.fused or node.inputs[0] in maps.lazy
        for name, size in layers.beside(node).items():
            draft.buffer(name, size)
        tap = sized.pooled_tap(node) if grams else None
        if node is sized.first.node:
            draft.steps.append(sized.first.begin(y, signs_of(draft, sized)))
        elif isinstance(node, Pool) and tap:
            draft.buffer(f"parts {tap}", sized.one.parts(node))
            self._gram_buffer(draft, tap)
            own = sized.areas.region(tap)
            given = (inputs[0], y, tap, rectified, own, adding)
            draft.steps += sized.one.gram(node, *given)
        elif sized.first.is_grouped(node):
            draft.steps.append(sized.first.convolution(node, inputs[0], y, rectified))
        else:
            draft.steps += layers.forward(node, inputs, y, rectified)

    def _spread(self, draft: Draft) -> None:
        """Begin with the picture as a map."""
        planes, height, width = self.shapes[INPUT]
        x = draft.buffer(self._sized.maps.map(INPUT), self._layers.size(INPUT))
        channels, pixels = self._layers.channels(INPUT), height * width
        given = ("picture", x, "counter", pixels, planes, channels)
        draft.launch("spread", given, pixels)

    def _gram_buffer(self, draft: Draft, tap: str) -> str:
        return draft.buffer(f"gram {tap}", FLOAT * self._layers.channels(tap) ** 2)

    def _gram(self, draft: Draft, tap: str, adding: bool) -> None:
        channels, gram = self._layers.channels(tap), self._gram_buffer(draft, tap)
        x = self._areas.take(draft, tap)
        sizes = (channels, channels, self._areas.positions(tap))
        product = Product(tap, x, x, gram, *sizes, transposed=True, adding=adding)
        draft.steps.append(product)

    def _compare(self, draft: Draft, terms: TapTerms, objective: Objective) -> None:
        """Make of a Gram matrix what the gradient is made with."""
        node, channels = terms.tap.node, self._layers.channels(terms.tap.node)
        error = draft.buffer(f"error {node}", self._layers.bytes * channels**2)
        slope = objective.scale * terms.style_slope
        partial = _partial(objective, "style", node)
        given = (f"gram {node}", f"style {node}", error, partial)
        numbers = (channels**2, terms.mean, slope)
        draft.launch("compare", (*given, *numbers), channels**2, BLOCKS)

    # -- the picture -----------------------------------------------------------

    def _vary(self, draft: Draft, objective: Objective) -> None:
        """Add the gradient of the total variation."""
        if weight := objective.variation:
            partial = _partial(objective, "variation", "")
            planes, height, width = self.shapes[INPUT]
            rows = (height, width, planes, 0, height)
            numbers = (*rows, *variation(weight, planes, height, width))
            given = ("picture", "slope", partial, *numbers)
            draft.launch("vary", given, planes * height * width, BLOCKS)


def _partial(objective: Objective, kind: str, node: str) -> Part:
    index = objective.terms.index((kind, node))
    return Part("partial", FLOAT * BLOCKS * index)
