"""Linear self-attention with arbitrary weights multiplies every token by one matrix, in every kind of number."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from constructions.construction import forward
from constructions.dense import dense_forward, export
from constructions.gdpp import GDPlusPlus
from constructions.parameters import Repeated, parameters
from constructions.prompt import Prompt
from constructions.self_attention import LinearSelfAttention
from numerics.check import check
from numerics.instances import Sizes, float_parameters, float_prompt
from proofs import prove

PROTOTYPE = LinearSelfAttention(**{name: [[[1]]] for name in parameters(LinearSelfAttention)})
EPS = np.finfo(float).eps


def test_every_token_is_multiplied_by_one_matrix_for_all_sizes_and_weights():
    assert prove(PROTOTYPE).holds


def test_looped_weights_are_proved_too():
    looped = LinearSelfAttention(**{name: Repeated([[1]], 2) for name in parameters(LinearSelfAttention)})
    assert prove(looped).holds


def test_recursion_without_the_values_is_refuted():
    class Wrong(LinearSelfAttention):
        def step(self, l, T, prompt):
            return super().step(l, T, prompt)._replace(yx=T.yx)

    assert not prove(Wrong(**{name: getattr(PROTOTYPE, name) for name in parameters(PROTOTYPE)})).holds


@pytest.mark.parametrize("sizes", [Sizes(3, 2, 1), Sizes(2, 3, 2)], ids=str)
def test_float_weights_pass_the_check(sizes):
    network = float_parameters(PROTOTYPE, sizes, 1, 2, np.float64)
    assert check(network, float_prompt(2, *sizes)).holds


def test_exported_weights_are_the_four_matrices_of_the_paper():
    # e_j + P W_V (sum_i e_i e_i^T) W_K^T W_Q e_j, in small whole numbers, so that every sum is exact.
    rng = np.random.default_rng(0)
    sizes = {"d": 2, "m": 1}
    network = LinearSelfAttention(
        **{
            name: [rng.integers(-2, 3, (sizes[p.rows], sizes[p.columns])).astype(float)]
            for name, p in parameters(LinearSelfAttention).items()
        }
    )
    prompt = Prompt(*(rng.integers(-2, 3, shape).astype(float) for shape in ((2, 3), (1, 3), (2, 1))))
    held = export(network, prompt)
    K, Q, V, P = (held[f"layer_0.attention_0.head_0.{name}"] for name in ("W_K", "W_Q", "W_V", "P"))
    E, e = np.concatenate([prompt.X, prompt.Y]), np.concatenate([prompt.x_query, [[0.0]]])
    expected = e + P @ V @ E @ E.T @ K.T @ Q @ e
    assert network(prompt.X, prompt.Y, prompt.x_query) == -expected[2]
    *_, last = dense_forward(network, prompt)
    assert last.entry[2, 3] == expected[2, 0]


def test_gdpp_is_linear_self_attention_with_its_weights():
    zero, I, one = [[0], [0]], [[1, 0], [0, 1]], [[1]]
    blocks = {"xx": [[0, 0], [0, 0]], "xy": zero, "yx": [[0, 0]], "yy": [[0]]}
    keys = {**blocks, "xx": I}
    gamma, eta, n = Fraction(1, 8), Fraction(3, 4), 3
    weights = {
        "W_K": keys,
        "W_Q": keys,
        "W_V": {**keys, "yy": [[-1]]},
        "P": {**blocks, "xx": [[-gamma, 0], [0, -gamma]], "yy": [[eta / n]]},
    }
    named = {f"{name}_{place}": Repeated(block, 2) for name, held in weights.items() for place, block in held.items()}
    prompt = Prompt([[1, 2, 0], [1, -1, 3]], [[2, 1, 1]], [[1], [Fraction(1, 2)]])
    descent = GDPlusPlus(step_sizes=[eta, eta], curvature_steps=[gamma, gamma])
    assert forward(LinearSelfAttention(**named), prompt).matrix == forward(descent, prompt).matrix
    changed = replace(LinearSelfAttention(**named), W_V_yy=Repeated(one, 2))
    assert forward(changed, prompt).matrix != forward(descent, prompt).matrix
