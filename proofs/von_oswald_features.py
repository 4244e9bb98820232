"""The theorems of von Oswald et al. (2023) on features: an MLP and then linear attention descend with a kernel."""

from __future__ import annotations

from typing import Any

from constructions.kernel_as_printed import KernelSumWithoutStepSize, MLPOnWholeTokens
from constructions.kernel_descent import FeatureDescent, FeatureDescentLimit, MLPDescent
from proofs.construction_theorem import ConstructionTheorem
from proofs.kernel_instances import MONOMIALS, RELU_FEATURES, feature_spectrum_instance, with_functions
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_ONE: Any = [[1]]
_PAPER = "von Oswald et al. 2023"
_PROPOSITION = "von Oswald et al. (2023), Proposition 2, arXiv 2212.07677"
_KERNEL_STEP = "Res <- Res (I - (eta_l/n) K), F <- F + (eta_l/n) sum_i Res_i phi(x_i)^T phi(.)"


def theorems() -> tuple[Theorem, ...]:
    """Gradient descent on features, and the printed slips."""
    return (*_descent(), *_limit(), *_slips())


def _descent() -> tuple[Theorem, ...]:
    arbitrary = FeatureDescent(step_sizes=[1])
    relu, square = (
        MLPDescent(step_sizes=[1], A_1=_ONE, A_2=_ONE, b_1=_ONE, b_2=_ONE, activation=activation)
        for activation in ("relu", "square")
    )
    return (
        ConstructionTheorem(
            name="mlp_then_attention_is_kernel_gradient_descent",
            system=_PAPER,
            reference=f"{_PROPOSITION}; any map phi of a token to any number of features, in rows of their own",
            statement=(
                "A layer that adds phi(x) to the f rows of every token and k linear attention layers on these rows "
                "take k gradient steps on |W phi(X) - Y|^2 / 2n from W = 0, for every map phi; in function space they "
                f"run {_KERNEL_STEP}, K = phi(X)^T phi(X). The targets hold Res, the query -F(x)."
            ),
            prototype=arbitrary,
            draw=with_functions(features=(RELU_FEATURES, MONOMIALS))(arbitrary),
        ),
        *(
            ConstructionTheorem(
                name=f"{activation}_mlp_then_attention_is_kernel_gradient_descent",
                system=_PAPER,
                reference=f"{_PROPOSITION}; hidden layer of any width, two biases where the paper has one",
                statement=(
                    f"With phi(x) = x + A_2 {activation}(A_1 x + b_1) + b_2 in place of x, by one residual MLP that "
                    f"reads and writes the x rows only, k linear attention layers run {_KERNEL_STEP}."
                ),
                prototype=prototype,
            )
            for activation, prototype in (("relu", relu), ("square", square))
        ),
    )


def _limit() -> tuple[Theorem, ...]:
    prototype = FeatureDescentLimit(step_sizes=[1])
    return (
        ConstructionTheorem(
            name="kernel_gradient_descent_misses_the_interpolant_by_its_residual",
            system=_PAPER,
            reference=f"{_PROPOSITION}, for the method; the exact error and the range of step sizes are this project's",
            statement=(
                "For nonsingular K = phi(X)^T phi(X), F(x) = Y K^-1 k_x - Res K^-1 k_x, and along an eigenvector K v = "
                "lam v every step multiplies Res v by 1 - eta_l lam / n: a constant eta converges to the interpolant "
                "for every Y if and only if 0 < eta < 2 n / lambda_max(K)."
            ),
            prototype=prototype,
            draw=feature_spectrum_instance(prototype),
        ),
    )


def _slips() -> tuple[Theorem, ...]:
    return (
        RefutedStatement(
            name="kernel_sum_without_step_size_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), equation (13)",
            statement=(
                "As printed, one step on features predicts sum_i y_i phi(x_i)^T phi(x). It is eta / n times that, for "
                "phi(x) = x already."
            ),
            printed=(KernelSumWithoutStepSize(step_sizes=[1]),),
            corrected="mlp_then_attention_is_kernel_gradient_descent",
        ),
        RefutedStatement(
            name="mlp_on_whole_tokens_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), section 4, where the MLP acts on whole tokens",
            statement=(
                "As printed, the MLP acts on whole tokens (x; y). Its features then depend on the targets, and the "
                "targets on it: the steps are none on |W phi(X) - Y|^2."
            ),
            printed=(
                MLPOnWholeTokens(step_sizes=[1], A_1=_ONE, A_2=_ONE, B_1=_ONE, B_2=_ONE, activation="square"),
                MLPOnWholeTokens(step_sizes=[1], A_1=_ONE, A_2=_ONE, B_1=_ONE, B_2=None, activation="square"),
            ),
            corrected="square_mlp_then_attention_is_kernel_gradient_descent",
        ),
    )
