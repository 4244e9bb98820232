"""The theorems of Cheng et al. (2024) and what follows from them: kernel attention is functional gradient descent."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from constructions.functional_descent import FunctionalDescent, LinearKernelDescent
from constructions.functional_limits import (
    AlternatingDescent,
    FunctionalDescentBound,
    FunctionalDescentClosedForm,
    FunctionalDescentError,
    FunctionalDescentSpectrum,
)
from constructions.kernel_heads import ReciprocalMaps, TwoKernelDescent
from constructions.kernels import LINEAR, RELU, SOFTMAX, exponential, polynomial, rbf
from constructions.parameters import Repeated
from constructions.softmax_descent import PromptKernelDescent, SoftmaxDescentError, SoftmaxDescentTopMode
from proofs.construction_theorem import ConstructionTheorem, generic_instance
from proofs.kernel_identities import kernel_identities
from proofs.kernel_instances import (
    bounded_instance,
    kernel_spectrum_instance,
    scaled,
    until_distinct,
    until_invertible,
    with_functions,
)
from proofs.theorem import Theorem

_ONE: Any = [[1]]
_PAPER = "Cheng et al. 2024"
_PROJECT = "this project"
_ARXIV = "Cheng et al. (2024), arXiv 2312.06528 (its model as reported second-hand)"
_STEP = "f <- f + r_l sum_i (y_i - f(x_i)) kappa(x_i, .)"
_BITS = 256
_SMALL = Fraction(1, 2)

_KERNELS = (LINEAR, RELU, polynomial(2))
_SEPARATING = (polynomial(4), RELU)


def theorems() -> tuple[Theorem, ...]:
    """Every theorem about kernel attention, the softmax last."""
    return (*_steps(), *_concrete_kernels(), *_limits(), *_indefinite(), *_softmax(), *_heads(), *kernel_identities())


def _steps() -> tuple[Theorem, ...]:
    prototype = FunctionalDescent(step_sizes=[1])
    return (
        ConstructionTheorem(
            name="kernel_attention_takes_functional_gradient_steps",
            system=_PAPER,
            reference=f"{_ARXIV}; any symmetric kernel, any number of targets, the induction is this project's",
            statement=(
                f"k attention layers with kernel scores and V_l = [[0, 0], [0, -r_l I]] run {_STEP} from f = 0, for "
                "every symmetric kernel; the labels hold y_i - f(x_i), and the query -f(x): the prediction is minus it."
            ),
            prototype=prototype,
            draw=with_functions(kernel=_KERNELS)(prototype),
        ),
        ConstructionTheorem(
            name="linear_kernel_attention_takes_least_squares_steps",
            system=_PAPER,
            reference=f"{_ARXIV}, for the linear kernel, where it is von Oswald et al.'s gradient descent",
            statement=(
                "With the linear kernel and r_l = eta_l / n, k layers of functional descent run gradient descent W "
                "<- W - (eta_l/n) (W X - Y) X^T from W = 0, and f(x) = W x."
            ),
            prototype=LinearKernelDescent(step_sizes=[1]),
        ),
    )


def _concrete_kernels() -> tuple[Theorem, ...]:
    exp = FunctionalDescent(step_sizes=[1], kernel=exponential(), score="exp")
    gaussian = FunctionalDescent(step_sizes=[1], kernel=rbf())
    return (
        ConstructionTheorem(
            name="relu_attention_takes_functional_steps_formally",
            system=_PAPER,
            reference=f"{_ARXIV}; formally, since the ReLU kernel is not positive semidefinite",
            statement=f"With ReLU scores k layers run {_STEP} for kappa(x, x') = max(<x, x'>, 0).",
            prototype=FunctionalDescent(step_sizes=[1], kernel=RELU, score="relu"),
        ),
        ConstructionTheorem(
            name="exponential_attention_takes_functional_gradient_steps",
            system=_PAPER,
            reference=_ARXIV,
            statement=f"With exponential scores, not normalised, k layers run {_STEP} for kappa(x, x') = exp(<x, x'>).",
            prototype=exp,
            draw=scaled(generic_instance(exp), _SMALL),
            bits=_BITS,
        ),
        ConstructionTheorem(
            name="rbf_attention_takes_functional_gradient_steps",
            system=_PAPER,
            reference=f"{_ARXIV}; the score sees keys and queries, not their inner product alone",
            statement=f"With RBF scores k layers run {_STEP} for kappa(x, x') = exp(-|x - x'|^2 / 2).",
            prototype=gaussian,
            draw=scaled(generic_instance(gaussian), _SMALL),
            bits=_BITS,
        ),
    )


def _limits() -> tuple[Theorem, ...]:
    closed = FunctionalDescentClosedForm(step_sizes=[1])
    error = FunctionalDescentError(step_sizes=[1])
    spectrum = FunctionalDescentSpectrum(step_sizes=[1])
    bound = FunctionalDescentBound(step_sizes=Repeated(1, 1))
    return (
        ConstructionTheorem(
            name="functional_descent_has_a_closed_form",
            system=_PROJECT,
            reference=f"the closed form of the recursion of {_ARXIV}",
            statement=(
                "After k layers the labels hold Y P and f(x) = Y G k_x, where P is the product of the I - r_l K, G is "
                "the sum of r_l times the product before it, and G K = I - P; K need not be invertible."
            ),
            prototype=closed,
            draw=with_functions(kernel=_KERNELS)(closed),
        ),
        ConstructionTheorem(
            name="functional_descent_misses_the_posterior_mean_by_its_residual",
            system=_PAPER,
            reference=f"{_ARXIV}, of which the limit is reported; the exact error is this project's",
            statement=(
                "For invertible K, f(x) = Y K^-1 k_x - Y P K^-1 k_x after k layers, P the product of the I - r_l K: "
                "the posterior mean of a Gaussian process with covariance kappa, less an exact error."
            ),
            prototype=error,
            draw=until_invertible(with_functions(kernel=_SEPARATING)(error), _gram),
        ),
        ConstructionTheorem(
            name="functional_descent_residual_shrinks_by_one_minus_r_lambda",
            system=_PROJECT,
            reference=f"the range of step sizes behind the limit of {_ARXIV}",
            statement=(
                "Along an eigenvector K v = lam v the residual is Y v times the product of the 1 - r_l lam. So a "
                "constant r converges for every Y if and only if 0 < r lam < 2 for every eigenvalue, and diverges "
                "along any negative one by 1 + r |lam| per layer."
            ),
            prototype=spectrum,
            draw=kernel_spectrum_instance(spectrum),
        ),
        ConstructionTheorem(
            name="functional_descent_residual_is_bounded_by_a_power",
            system=_PROJECT,
            reference=f"the error bound of the limit of {_ARXIV}, one target",
            statement=(
                "If rho^2 I - (I - r K)^2 = C^T D C with a diagonal D >= 0, that is if rho >= |1 - r lam| for every "
                "eigenvalue, then rho^(2 k) |Y|^2 - |R|^2 is a sum of terms rho^(2 j) z^T D z: the residual is at most "
                "rho^k |Y|, and the error at most rho^k |Y| |k_x| / lambda_min(K)."
            ),
            prototype=bound,
            draw=bounded_instance(bound),
        ),
    )


def _indefinite() -> tuple[Theorem, ...]:
    prototype = AlternatingDescent(step_sizes=[1])
    return (
        ConstructionTheorem(
            name="alternating_steps_solve_indefinite_kernels",
            system=_PROJECT,
            reference=f"for kernels of {_ARXIV} that are not positive semidefinite, such as the ReLU kernel",
            statement=(
                "Pairs of layers with steps r_l, -r_l leave f(x) = Y K^-1 k_x - Y P K^-1 k_x with P the product of the "
                "I - r_l^2 K^2. A constant r converges for every Y if and only if 0 < r^2 lam^2 < 2 for every "
                "eigenvalue lam of K, of either sign."
            ),
            prototype=prototype,
            draw=until_invertible(with_functions(kernel=_SEPARATING)(prototype), _gram),
        ),
    )


def _softmax() -> tuple[Theorem, ...]:
    smoother = FunctionalDescent(step_sizes=[1], kernel=SOFTMAX, score="softmax")
    weighted, error = PromptKernelDescent(step_sizes=[1]), SoftmaxDescentError(step_sizes=[1])
    top = SoftmaxDescentTopMode(step_sizes=[1])
    return (
        ConstructionTheorem(
            name="softmax_attention_is_the_row_normalised_kernel_smoother",
            system=_PROJECT,
            reference=f"what the softmax map of {_ARXIV} computes",
            statement=(
                "Softmax layers over the context run f <- f + r_l sum_i (y_i - f(x_i)) kappa(x_i, .) / D(.) with kappa "
                "= exp(<x, x'>) and D(x) = sum_t kappa(x_t, x)."
            ),
            prototype=smoother,
            draw=scaled(generic_instance(smoother), _SMALL),
            bits=_BITS,
        ),
        ConstructionTheorem(
            name="softmax_attention_descends_in_a_kernel_of_the_prompt",
            system=_PROJECT,
            reference=f"in what sense the softmax map of {_ARXIV} takes gradient steps",
            statement=(
                "Softmax layers take functional gradient steps in the kernel kappa(x, x') / (D(x) D(x')) on the loss "
                "sum_i D(x_i) |f(x_i) - y_i|^2, both of which depend on the prompt."
            ),
            prototype=weighted,
            draw=scaled(generic_instance(weighted), _SMALL),
            bits=_BITS,
        ),
        ConstructionTheorem(
            name="softmax_attention_misses_its_own_limit_by_its_residual",
            system=_PROJECT,
            reference=f"the limit of the softmax map of {_ARXIV}, which is not the posterior mean",
            statement=(
                "With K = exp(X^T X) invertible, softmax layers predict Y D K^-1 k_x / D(x) - Y P D K^-1 k_x / D(x), P "
                "the product of the I - r_l K D^-1 and D = diag(D(x_1), ..., D(x_n))."
            ),
            prototype=error,
            draw=scaled(until_distinct(generic_instance(error)), _SMALL),
            bits=_BITS,
        ),
        ConstructionTheorem(
            name="softmax_attention_shrinks_the_weighted_residual_by_one_minus_r",
            system=_PROJECT,
            reference=f"the range of step sizes of the softmax map of {_ARXIV}",
            statement=(
                "sum_i D(x_i) (y_i - f(x_i)) is multiplied by 1 - r_l in every softmax layer, on every prompt: 1 is an "
                "eigenvalue of K D^-1, and the largest, so that for positive definite K a constant r converges for "
                "every Y if and only if 0 < r < 2."
            ),
            prototype=top,
            draw=scaled(generic_instance(top), _SMALL),
            bits=_BITS,
        ),
    )


def _heads() -> tuple[Theorem, ...]:
    two = TwoKernelDescent(step_sizes=[1], G_1=_ONE, G_2=_ONE)
    maps = ReciprocalMaps(step_sizes=[1], B=[_ONE], C=[_ONE], S=[_ONE])
    return (
        ConstructionTheorem(
            name="two_kernel_heads_descend_in_the_sum_of_the_kernels",
            system=_PAPER,
            reference=f"{_ARXIV}, multi-head attention as reported",
            statement=(
                "Two heads of one step r_l with keys and queries G_1 x and G_2 x run functional descent with "
                "kappa_1(G_1 x, G_1 x') + kappa_2(G_2 x, G_2 x'), for all symmetric kernels and all G_1, G_2."
            ),
            prototype=two,
            draw=with_functions(kernel=_KERNELS, second=_KERNELS)(two),
        ),
        ConstructionTheorem(
            name="scores_of_inner_products_do_not_see_reciprocal_maps",
            system=_PROJECT,
            reference=f"the invariance of the attention maps of {_ARXIV}; it fails for the RBF kernel",
            statement=(
                "Linear, ReLU, exponential and softmax heads with keys S^T B x and queries S^-1 C x are those with "
                "keys B x and queries C x, for every invertible S."
            ),
            prototype=maps,
            draw=scaled(generic_instance(maps), Fraction(1, 8)),
            bits=_BITS,
        ),
    )


def _gram(construction: Any, prompt: Any) -> Any:
    return construction.gram(prompt)
