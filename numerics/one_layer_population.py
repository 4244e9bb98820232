"""The population loss of one layer of linear attention, as a number: of any weights, in any kind of number.

Symbols: n context tokens, d features, one target; inputs x of covariance Sigma, teacher w ~ N(0, Omega), labels
y_i = w^T x_i + eps_i, eps_i of variance sigma2; S = X X^T / n, v = X y^T / n, g = y y^T / n. The layer is
Z <- Z + (1 / n) P Z M (Z^T Q Z); p0 = P_yx^T, p1 = P_yy, Q1 = Q_xx, q2 = Q_yx^T; N = p0 q2^T + p1 Q1.

    loss = E |N^T v + w|^2_Sigma + E |Q1^T S p0 + p1 g q2|^2_Sigma

The first part is odd, the second even in the targets. Both are polynomials in two moments of the context,

    E S B S = (1 - 1/n) Sigma B Sigma + (1/n) F(B)      E tr(B S) S = (1 - 1/n) tr(B Sigma) Sigma + (1/n) F(B)

of a symmetric B, with F(B) = E x x^T B x x^T = 2 Sigma B Sigma + tr(B Sigma) Sigma + excess Diag(B).
excess is 0 for Gaussian inputs; otherwise coordinates are iid and symmetric, and it is E x^4 - 3 (E x^2)^2.

The minimum over all weights is that of the odd part, N = -K^-1 Sigma Omega with K = E v v^T, where the even one is 0.

Reference: for Gaussian inputs the theorem ``one_layer_population_loss_has_a_closed_form``, which a test holds this
against; uniform inputs as in von Oswald et al. (2023) are this project's, held against enumerated laws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constructions.attention import Head, Mask
from constructions.block import Block, Zero
from constructions.construction import Construction
from constructions.layer import Attention, Layer
from constructions.parameters import lifted
from constructions.preconditioned import PreconditionedDescent
from constructions.prompt import Prompt
from constructions.scalars import Scalar, exact, ratio
from constructions.stages import layers_of
from numerics.floats import FloatBlock
from numerics.tasks import LinearTask


@dataclass(frozen=True)
class ContextLaw:
    """What the loss depends on, of the law of the tasks.

    Args:
        n: context tokens, >= 1.
        Sigma: covariance of the inputs, a block (d, d), positive definite.
        Omega: covariance of the teacher, (d, d), positive definite.
        sigma2: variance of the label noise, >= 0.
        excess: the fourth cumulant of iid coordinates; 0 for Gaussian inputs.
    """

    n: int
    Sigma: Block
    Omega: Block
    sigma2: Scalar = 0
    excess: Scalar = 0

    def sandwiched(self, B: Block) -> Block:
        """E S B S, for a symmetric B."""
        return (self.Sigma @ B @ self.Sigma).scale(1 - ratio(1, self.n)) + self._fourth(B)

    def weighted(self, B: Block) -> Block:
        """E tr(B S) S, for a symmetric B."""
        return _times(self.Sigma, trace(B, self.Sigma)).scale(1 - ratio(1, self.n)) + self._fourth(B)

    def _fourth(self, B: Block) -> Block:
        """F(B) / n."""
        gaussian = (self.Sigma @ B @ self.Sigma).scale(2) + _times(self.Sigma, trace(B, self.Sigma))
        return (gaussian + B.hadamard(B.identity(B.rows)).scale(self.excess)).scale(ratio(1, self.n))

    @property
    def K(self) -> Block:
        """E v v^T."""
        return self.sandwiched(self.Omega) + self.Sigma.scale(exact(self.sigma2) / self.n)

    @property
    def label_power(self) -> Block:
        """E g^2, (1, 1)."""
        n, sigma2 = self.n, exact(self.sigma2)
        both = trace(self.Omega, self.weighted(self.Omega)) + trace(self.Omega, self.sandwiched(self.Omega)).scale(2)
        noise = trace(self.Omega, self.Sigma).scale(sigma2 * (2 + ratio(4, n)))
        return both + noise + self.Omega.identity(1).scale(sigma2 * sigma2 * (1 + ratio(2, n)))


def law_of(task: LinearTask) -> ContextLaw:
    """The law of a task of one target, in float64.

    Raises:
        ValueError: for several targets, a covariance that is not positive definite, or numbers that leave float64.
    """
    if task.m != 1:
        raise ValueError(f"the population loss is that of one target, but the task has m = {task.m}")
    Sigma = np.eye(task.d) if task.covariance is None else np.array(task.covariance)
    Omega = np.eye(task.d) if task.prior is None else np.array(task.prior)
    excess, half_width, noise = 0.0, np.float64(task.half_width or 0), np.float64(task.noise)
    with np.errstate(over="ignore", under="ignore"):
        if task.half_width is not None:
            Sigma, excess = Sigma * half_width**2 / 3, float(-2 * half_width**4 / 15)
        scale = np.abs(Sigma).max() * (np.abs(Omega).max() * np.abs(Sigma).max() + noise**2) + noise**4
    if not np.isfinite(scale) or (task.half_width is not None and not half_width**4 > 0):
        raise ValueError(
            f"the moments of the tasks leave the range of float64 (half width {task.half_width}, noise {task.noise}): "
            "scale the inputs, the teacher and the noise"
        )
    for name, matrix in (("covariance", Sigma), ("prior", Omega)):
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        if smallest <= 0:
            raise ValueError(
                f"the {name} must be positive definite, but its smallest eigenvalue is {smallest:.6g}; leave out the "
                "directions that never occur"
            )
    return ContextLaw(task.n, FloatBlock(Sigma), FloatBlock(Omega), float(noise**2), excess)


def population_loss(network: Construction, law: ContextLaw) -> Block:
    """E (prediction - w^T x_query)^2 of one layer of linear attention with one target, (1, 1).

    Args:
        network: one linear head on tokens (x; y), the query at (x_query; 0), and minus its label is the prediction;
            the matrices are entries or blocks of the law's kind, such as ``TapeBlock`` for a gradient.
        law: the law of the tasks.

    Raises:
        ValueError: for another network.
    """
    P_yx, P_yy, Q_xx, Q_yx = _blocks_that_count(network, law)
    p0, p1, Q1, q2 = P_yx.T, P_yy, Q_xx, Q_yx.T
    N = p0 @ q2.T + _times(Q1, p1)
    Sigma, Omega = law.Sigma, law.Omega
    odd = trace(Omega, Sigma) + trace(N, Sigma @ Omega @ Sigma).scale(2) + trace(N @ Sigma @ N.T, law.K)
    gram = law.weighted(Omega) + Sigma.scale(law.sigma2)
    even = (
        p0.T @ law.sandwiched(Q1 @ Sigma @ Q1.T) @ p0
        + (p1 @ p0.T @ gram @ Q1 @ Sigma @ q2).scale(2)
        + p1 @ p1 @ (q2.T @ Sigma @ q2) @ law.label_power
    )
    return odd + even


def best_step(law: ContextLaw) -> tuple[Block, Block]:
    """The least population loss of one layer over all weights, (1, 1), and -N, the preconditioner (d, d) attaining it.

    One gradient step from 0 on |w^T X - y|^2 / 2n, preconditioned by -N = K^-1 Sigma Omega.
    """
    cross = law.Sigma @ law.Omega
    preconditioner = law.K.inverse() @ cross
    return trace(law.Omega, law.Sigma) - trace(preconditioner, law.Sigma @ cross.T), preconditioner


def best_network(law: ContextLaw) -> PreconditionedDescent:
    """The layer that takes the best step."""
    return PreconditionedDescent(preconditioners=[best_step(law)[1].entry])


def trace(A: Block, B: Block) -> Block:
    """tr A B, (1, 1)."""
    product = A.hadamard(B.T)
    like = A if B.is_zero else B
    return Zero(1, 1) if product.is_zero else like.ones(1, A.rows) @ product @ like.ones(A.columns, 1)


def _times(A: Block, number: Block) -> Block:
    """The multiple of A by a block (1, 1)."""
    like = number if A.is_zero else A
    if A.is_zero or number.is_zero:
        return Zero(*A.shape)
    return A.hadamard(like.ones(A.rows, 1) @ number @ like.ones(1, A.columns))


def _blocks_that_count(network: Construction, law: ContextLaw) -> tuple[Block, Block, Block, Block]:
    """P_yx, P_yy, Q_xx and Q_yx, read off the only layer as what it makes of the unit vectors."""
    like, d = law.Sigma, law.Sigma.rows
    prompt = Prompt(like.ones(d, law.n), like.ones(1, law.n), like.ones(d, 1))
    network = lifted(network, type(like), prompt)
    head = _only_head(network, prompt)
    x, y = {"x": like.identity(d)}, {"y": like.identity(1)}
    asked, rate = head.query(x), exact(head.factor) * law.n

    def value(token: dict[str, Block], columns: int) -> Block:
        moved = head.value(token)
        return (moved if head.projection is None else head.projection(moved)).get("y", Zero(1, columns))

    def score(token: dict[str, Block], rows: int) -> Block:
        total: Block = Zero(rows, d)
        for slot, key in head.key(token).items():
            total = total + key.T @ asked[slot] if slot in asked else total
        return total.scale(rate)

    return value(x, d), value(y, 1), score(x, d), score(y, 1)


def _only_head(network: Construction, prompt: Prompt) -> Head:
    stages = network.stages(prompt)
    layers = [layer for stage in stages for layer in layers_of(stage)]
    if len(layers) != 1:
        raise ValueError(f"the population loss is that of one layer, but the network has {len(layers)}")
    parts = layers[0].sublayers if isinstance(layers[0], Layer) else ()
    heads = [head for part in parts if isinstance(part, Attention) for head in part.heads]
    tokens = network.embed(prompt)
    is_plain = len(parts) == len(heads) == 1 and heads[0].score == "linear" and heads[0].mask == Mask(keys=("context",))
    if not is_plain or list(tokens.slots) != ["x", "y"] or not tokens["y", "query"].is_zero:
        raise ValueError(
            "the population loss is that of one linear head on tokens (x; y) whose keys are the context and whose "
            f"query starts at (x_query; 0), but a {type(network).__name__} is none"
        )
    return heads[0]
