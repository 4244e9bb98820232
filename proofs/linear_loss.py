"""The implicit update of in-context learning: one step on a linear loss, and when that is a least-squares step.

Symbols: n demonstrations with keys K (d, n) and values V (m, n), K = W_K X' and V = W_V X'; targets Y (m, n); W, W_0
(m, d); a (m, 1), b (d, 1) arbitrary, so that a b^T is any direction of rank one, and these span all directions; R (d,
n), in particular one with K^T R = I, which exists exactly if the keys are linearly independent.

    l(W) = -sum_i <v_i, W k_i>        f(W) = (1/2) sum_i |W k_i - y_i|^2        dW_ICL = V K^T

Reference: Dai et al. (2022), arXiv 2212.10559, who read the update as gradient descent; the loss is derived here.
"""

from __future__ import annotations

from fractions import Fraction

from constructions.block import Block
from constructions.stages import Relation
from proofs.matrix_identities import Data, MatrixIdentities

HALF = Fraction(1, 2)


def total(block: Block) -> Block:
    """The sum of all entries, (1, 1)."""
    return block.ones(1, block.rows) @ block @ block.ones(block.columns, 1)


def linear_loss(W: Block, data: Data) -> Block:
    """-sum_i <v_i, W k_i>."""
    return -total(data["V"].hadamard(W @ data["K"]))


def squared_loss(W: Block, data: Data) -> Block:
    """(1/2) sum_i |W k_i - y_i|^2."""
    return total((W @ data["K"] - data["Y"]).square()).scale(HALF)


def update(data: Data) -> Block:
    """dW_ICL = V K^T."""
    return data["V"] @ data["K"].T


def needed_values(data: Data) -> Block:
    """gamma (Y - W_0 K): the values with which relaxed attention takes a least-squares step of rate gamma from W_0."""
    return (data["Y"] - data["W_0"] @ data["K"]).scale(data.scalars["gamma"])


def linear_gradient(data: Data) -> Relation:
    W, a, b = data["W"], data["a"], data["b"]
    change = linear_loss(W + a @ b.T, data) - linear_loss(W, data)
    return Relation("the linear loss has the gradient -V K^T, whatever W", change, -(a.T @ update(data) @ b))


def linear_step(data: Data) -> Relation:
    W, K, V = data["W"], data["K"], data["V"]
    each_output = -V  # the gradient of loss i with respect to the output W k_i, in column i
    stepped = W - each_output @ K.T
    return Relation("one step of rate 1 on it, from any W, adds dW_ICL", stepped, W + update(data))


def squared_gradient(data: Data) -> Relation:
    W, K, a, b = data["W"], data["K"], data["a"], data["b"]
    change = squared_loss(W + a @ b.T, data) - squared_loss(W, data)
    gradient = (W @ K - data["Y"]) @ K.T
    second = (a.T @ a @ b.T @ K @ K.T @ b).scale(HALF)
    return Relation("the squared loss has the gradient (W K - Y) K^T", change, a.T @ gradient @ b + second)


def squared_step(data: Data) -> Relation:
    W, K, gamma = data["W_0"], data["K"], data.scalars["gamma"]
    stepped = W - ((W @ K - data["Y"]) @ K.T).scale(gamma)
    name = "a least-squares step from W_0 adds V K^T for the values V = gamma (Y - W_0 K), gamma Y if W_0 = 0"
    return Relation(name, stepped, W + needed_values(data) @ data["K"].T)


def converse(data: Data) -> Relation:
    K, R = data["K"], data["R"]
    excess = data["V"] - needed_values(data)
    gap = update(data) - needed_values(data) @ K.T
    name = (
        "for other values it does not, if K^T R = I: then V - gamma (Y - W_0 K) is the difference of the updates by R"
    )
    return Relation(name, gap @ R, excess + excess @ (K.T @ R - R.identity(data.sizes["n"])))


def _ascending(data: Data) -> Relation:
    claimed = linear_gradient(data)
    return Relation("the gradient with the other sign", claimed.left, -claimed.right)


def _without_second_order(data: Data) -> Relation:
    W, K, a, b = data["W"], data["K"], data["a"], data["b"]
    claimed = squared_gradient(data)
    return Relation("the squared loss as linear", claimed.left, a.T @ (W @ K - data["Y"]) @ K.T @ b)


def _targets_as_values(data: Data) -> Relation:
    claimed = squared_step(data)
    values = data["Y"].scale(data.scalars["gamma"])
    return Relation("the values gamma Y from any W_0", claimed.left, data["W_0"] + values @ data["K"].T)


def _unscaled(data: Data) -> Relation:
    claimed, values = squared_step(data), data["Y"] - data["W_0"] @ data["K"]
    return Relation("the values without the rate", claimed.left, data["W_0"] + values @ data["K"].T)


def _any_values(data: Data) -> Relation:
    return Relation("any values", data["W_0"] + update(data), squared_step(data).left)


def theorem() -> MatrixIdentities:
    """The theorem on the linear loss."""
    return MatrixIdentities(
        name="implicit_update_is_one_step_on_a_linear_loss",
        system="Dai et al. 2022",
        reference="Dai et al. (2022), arXiv 2212.10559, implicit finetuning; the loss is derived",
        statement=(
            "dW_ICL = V K^T is one gradient step of rate 1, from any W, on the linear loss -sum_i <v_i, W k_i>, whose "
            "gradient never depends on W; it is the step of rate gamma on (1/2) |W K - Y|^2 from W_0 when V = gamma (Y "
            "- W_0 K), which is gamma Y for W_0 = 0, and for linearly independent keys only then."
        ),
        matrices={
            "W": ("m", "d"),
            "W_0": ("m", "d"),
            "K": ("d", "n"),
            "V": ("m", "n"),
            "Y": ("m", "n"),
            "R": ("d", "n"),
            "a": ("m", 1),
            "b": ("d", 1),
        },
        scalars=("gamma",),
        identities=(linear_gradient, linear_step, squared_gradient, squared_step, converse),
        slips={
            "the gradient with the other sign": _ascending,
            "the squared loss without its second-order term": _without_second_order,
            "the values gamma Y from any W_0": _targets_as_values,
            "the values without the rate": _unscaled,
            "any values at all": _any_values,
        },
    )
