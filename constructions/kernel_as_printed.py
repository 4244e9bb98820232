"""Slips of the printed text on features and kernels, each as what it literally states. They are here to be refuted.

Symbols as in ``kernel_descent``.
"""

from dataclasses import dataclass
from typing import Any

from constructions.block import Block, FeatureMap
from constructions.kernel_descent import FeatureDescent, MLPDescent
from constructions.layer import MLP, Layer
from constructions.parameters import matrix
from constructions.prompt import Prompt
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class KernelSumWithoutStepSize(FeatureDescent):
    """One step on features that predicts sum_i y_i phi(x_i)^T phi(x); correct is (eta / n) times that.

    Reference: von Oswald et al. (2023), equation (13).
    """

    features: FeatureMap = FeatureMap("identity", lambda X: X)

    def predict(self, iterate: Any, prompt: Prompt) -> Block:
        return prompt.Y @ self.query_column(prompt)


@dataclass(frozen=True, kw_only=True, repr=False)
class MLPOnWholeTokens(MLPDescent):
    """An MLP of whole tokens (x; y), then gradient steps; correct is an MLP that neither reads nor writes the y rows.

    Reference: von Oswald et al. (2023), section on MLPs before Proposition 2.
    """

    B_1: Any = matrix("B_1", "h", "m")
    B_2: Any = matrix("B_2", "m", "h")

    def first_layer(self, prompt: Prompt) -> Layer:
        inner = Weight({("h", "x"): self.A_1, ("h", "y"): self.B_1})
        return Layer(MLP(inner, Weight({("x", "h"): self.A_2, ("y", "h"): self.B_2}), self.activation))
