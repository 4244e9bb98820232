"""Unknown predictors: a construction or a function of the user, as what it makes of prompts.

Symbols: B tasks, n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1).

A network that generates a weight vector w (d, 1), such as a chain of thought, predicts w^T x_query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from constructions.block import Block, materialised
from constructions.construction import Construction, forward, iterates, streams
from constructions.parameters import PerLayer, Unspecified, lifted, map_parameters, parameters
from constructions.prompt import Prompt
from constructions.scalars import exact
from numerics.algorithms import Array
from numerics.fitting import Observed
from numerics.instances import Sizes, exact_parameters
from numerics.predictors import Predict, PredictorFailed, one_by_one, predictions
from numerics.tasks import Randomness, generator

FEATURES, TOKENS, TARGETS = 3, (6, 4), 1
"""The sizes of the prompts, where the predictor does not fix them. Two numbers of tokens tell eta / n from eta."""

FREE_STEPS = 3
"""The number of layers of a construction that leaves it free."""


@dataclass(frozen=True, eq=False)
class UnknownPredictor:
    """What is to be identified.

    Args:
        predict: it, in floats, under the contract of ``numerics.predictors``: a batch of prompts in, (B, m, 1) out.
        sizes: the prompts it is shown, one per number of tokens.
        construction: it, if it is one, its matrices nested lists of Fractions; then it runs in exact numbers as well.
        layers: from a batch of prompts to its predictions after each layer, (L, B, m, 1), if it says so.
        by_iterates: whether these are not read out of the network, but what a construction says of its iterates.
    """

    predict: Predict
    sizes: tuple[Sizes, ...]
    construction: Construction | None = None
    layers: Callable[[Array, Array, Array], Array] | None = None
    by_iterates: bool = False

    def observed(self, rng: Randomness, tasks: int) -> list[Observed]:
        """What it makes of random tasks, one batch per number of tokens; every entry from U(-1, 1)."""
        held = []
        for sizes in self.sizes:
            X, Y, x_query = random_prompts(rng, sizes, tasks)
            held.append(Observed(X, Y, x_query, np.asarray(predictions(self.predict, X, Y, x_query), dtype=float)))
        return held


def random_prompts(rng: Randomness, sizes: Sizes, tasks: int) -> tuple[Array, Array, Array]:
    """X, Y, x_query of so many tasks, every entry from U(-1, 1), in float64."""
    rng = generator(rng)
    shapes = ((sizes.d, sizes.n), (sizes.m, sizes.n), (sizes.d, 1))
    X, Y, x_query = (rng.uniform(-1, 1, (tasks, *shape)) for shape in shapes)
    return X, Y, x_query


def as_prediction(block: Block, prompt: Prompt) -> Block:
    """The network's output as a prediction, (m, 1): itself, or w^T x_query of a generated weight vector w.

    Raises:
        ValueError: for another shape; the network is no predictor of the query then.
    """
    if block.shape == (prompt.m, 1):
        return block
    if block.shape == (prompt.d, 1) and prompt.m == 1:
        return block.T @ prompt.x_query
    raise ValueError(
        f"the construction reads out {block.shape} for a prompt with n = {prompt.n}, d = {prompt.d}, m = {prompt.m}, "
        f"but a prediction for the query, ({prompt.m}, 1), is required: only what predicts can be identified"
    )


def of_construction(construction: Construction, sizes: Sequence[Sizes] | None = None) -> UnknownPredictor:
    """The predictor that a construction's layers are; parameters left free are drawn, the same every time.

    Args:
        construction: the weights.
        sizes: the prompts; by default what its parameters leave room for.

    Raises:
        ValueError: if it needs further data, or does not predict the query's target.
    """
    sizes = tuple(sizes) if sizes else usual_sizes(construction)
    held = _drawn(construction, sizes[0])
    in_floats = map_parameters(held, lambda value, p: _floats(value) if p.is_matrix else value)

    def predict(X: Any, Y: Any, x_query: Any) -> Any:
        prompt = Prompt(X, Y, x_query).lifted()
        return np.broadcast_to(answer(in_floats, prompt).entry, (*Y.shape[:-1], 1))

    X, Y, x_query = random_prompts(0, sizes[0], 1)
    try:
        answer(in_floats, Prompt(X[0], Y[0], x_query[0]).lifted())
    except KeyError as error:
        raise ValueError(
            f"{type(construction).__name__} needs further data ({', '.join(construction.extras) or error}), which a "
            "predictor is not given: identify the construction that it is about"
        ) from error
    in_fractions = map_parameters(held, lambda value, p: _fractions(value) if p.is_matrix else value)
    by_iterates = _reads_out_at_the_end(in_floats, X, Y, x_query)
    layers = partial(_by_layer, _iterates_predict if by_iterates else _read_out, in_floats)
    return UnknownPredictor(predict, sizes, in_fractions, layers, by_iterates)


def answer(construction: Construction, prompt: Prompt) -> Block:
    """What a construction predicts for a lifted prompt, (m, 1), in its kind of number."""
    return as_prediction(materialised(forward(construction, prompt), prompt.X), prompt)


def of_callable(
    function: Callable[..., Any], sizes: Sequence[Sizes] | None = None, layers: int = 0
) -> UnknownPredictor:
    """The predictor that a function is: of one prompt, or of batches, whichever it takes.

    Args:
        function: predict(X, Y, x_query), NumPy in and out: (d, n), (m, n), (d, 1) -> (m, 1), or all of them with one
            batch dimension in front.
        sizes: the prompts to show it.
        layers: the number of its layers, if it takes ``layers=l`` and then predicts after layer l = 1, ..., layers.

    Raises:
        PredictorFailed, TypeError, ValueError: as for ``numerics.predictors.predictions``, if it takes neither.
    """
    sizes = tuple(sizes) if sizes else usual_sizes()
    prompts = random_prompts(0, sizes[0], 2)
    alone = one_by_one(function)
    try:
        predictions(alone, *prompts, "one prompt at a time, without the batch dimension")
        contract: Callable[[Predict], Predict] = one_by_one
    except (PredictorFailed, TypeError, ValueError) as error:
        try:
            predictions(function, *prompts)
        except (PredictorFailed, TypeError, ValueError):
            # Most functions are of one prompt: what is wrong there is what their author can use.
            raise error from error.__cause__
        contract = _as_it_is
    unknown = UnknownPredictor(_on_copies(contract(function)), sizes)
    if not layers:
        return unknown

    def by_layer(X: Array, Y: Array, x_query: Array) -> Array:
        runs = (contract(partial(function, layers=l)) for l in range(1, layers + 1))
        return np.stack([predictions(run, X, Y, x_query, f"layers={l}") for l, run in enumerate(runs, start=1)])

    return replace(unknown, layers=by_layer)


def _as_it_is(function: Predict) -> Predict:
    return function


def _on_copies(function: Predict) -> Predict:
    """The function on arrays of its own, which it may change, with a result that it may overwrite later."""

    def predict(X: Array, Y: Array, x_query: Array) -> Array:
        return np.array(function(X.copy(), Y.copy(), x_query.copy()))

    return predict


def _by_layer(
    each: Callable[[Construction, Prompt], Iterator[Block]],
    construction: Construction,
    X: Array,
    Y: Array,
    x_query: Array,
) -> Array:
    """The predictions after each layer, (L, B, m, 1); the one before the first alone if there is no layer."""
    prompt = Prompt(X, Y, x_query).lifted()
    blocks = [as_prediction(materialised(block, prompt.X), prompt).entry for block in each(construction, prompt)]
    return np.stack([np.broadcast_to(entry, (*Y.shape[:-1], 1)) for entry in blocks[1:] or blocks])


def _read_out(construction: Construction, prompt: Prompt) -> Iterator[Block]:
    """What is read out before the first layer and after each."""
    return (construction.read_out(stream) for stream in streams(construction, prompt))


def _iterates_predict(construction: Construction, prompt: Prompt) -> Iterator[Block]:
    """What the construction says that its iterates predict, before the first layer and after each."""
    held = lifted(construction, type(prompt.X), prompt)
    return (held.predict(iterate, prompt) for iterate in iterates(construction, prompt))


def _reads_out_at_the_end(construction: Construction, X: Array, Y: Array, x_query: Array) -> bool:
    """Whether nothing can be read out before the last layer, where what the iterates predict is read out."""
    found = _by_layer(_read_out, construction, X, Y, x_query)
    if len(found) == 1 or np.any(found[:-1]) or construction.extras:
        return False
    said = _by_layer(_iterates_predict, construction, X, Y, x_query)
    return said.shape == found.shape and bool(np.allclose(said[-1], found[-1]))


def _floats(matrix: Any) -> Array:
    return np.array([[float(number) for number in row] for row in np.asarray(matrix, dtype=object)])


def _fractions(matrix: Any) -> list[list[Fraction]]:
    return [[exact(number) for number in row] for row in np.asarray(matrix, dtype=object)]


def usual_sizes(construction: Construction | None = None) -> tuple[Sizes, ...]:
    """The sizes of the prompts: those that a construction's matrices decide, and the usual ones where they do not."""
    fixed: dict[str, int] = {}
    if construction is not None and isinstance(construction.targets, int):
        fixed["m"] = construction.targets
    for name, declared in parameters(construction).items() if construction is not None else ():
        for matrix in _matrices(getattr(construction, name)) if declared.is_matrix else ():
            shape = matrix.shape if hasattr(matrix, "shape") else (len(matrix), len(matrix[0]))
            for size, held in zip((declared.rows, declared.columns), shape[-2:], strict=True):
                if size in Sizes._fields:
                    fixed[str(size)] = int(held)
    tokens = (fixed["n"],) if "n" in fixed else TOKENS
    return tuple(Sizes(n, fixed.get("d", FEATURES), fixed.get("m", TARGETS)) for n in tokens)


def _matrices(held: Any) -> list[Any]:
    """The matrix of the first layer that has one, or the only one; none if it is zero or left free."""
    if isinstance(held, PerLayer) or (isinstance(held, Sequence) and not _is_matrix(held)):
        return next(filter(None, (_matrices(each) for each in held)), [])
    return [] if held is None or isinstance(held, Unspecified) else [held]


def _is_matrix(held: Sequence[Any]) -> bool:
    """Whether nested sequences are the rows of one matrix, not a matrix for each layer."""
    first = held[0] if held else None
    return isinstance(first, Sequence) and bool(first) and not hasattr(first[0], "__len__")


def _drawn(construction: Construction, sizes: Sizes) -> Construction:
    """The construction itself, or with all its parameters drawn if one of them is left free."""
    values = [getattr(construction, name) for name in parameters(construction)]
    free = [v for v in values if isinstance(v, Unspecified) or isinstance(getattr(v, "value", None), Unspecified)]
    if not free:
        return construction
    drawn = exact_parameters(construction, sizes, 0, FREE_STEPS)
    return map_parameters(drawn, lambda value, p: abs(value) if p.positive else value)
