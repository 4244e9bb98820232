"""The theorems of Fu et al. (2024) and their sharper forms: transformers run Newton's iteration."""

from __future__ import annotations

from collections.abc import Iterator

from constructions.construction import Construction
from constructions.newton import NewtonFromIdentity
from constructions.newton_gram import NewtonFromGramMasked, NewtonFromGramOwnRows, NewtonFromGramUnmasked
from constructions.newton_interleaved import NewtonInterleaved
from constructions.newton_paper import PaperNewton
from proofs import newton_stability
from proofs.construction_theorem import ConstructionTheorem
from proofs.theorem import Theorem

_PAPER = "Fu et al. 2024"
_STEP = "M <- 2 M - M X X^T M"
_SHARPER = "this project; sharper than Fu et al. (2024), Theorem 5.1, arXiv 2310.17086, which has k + 8 layers"
_CORRECTED = "Fu et al. (2024), Theorem 5.1, arXiv 2310.17086, corrected: V_2 = -V_1, x_query in rows of its own"
_PRINTED = "query from x, key from u, as printed: equal in exact arithmetic, unstable in floats"


def theorems() -> tuple[Theorem, ...]:
    """Newton's iteration: the published network as corrected, then the shallower ones."""
    return (
        _theorem(
            "interleaved_relu_network_runs_newton_in_k_plus_8_layers",
            f"The network of k + 8 ReLU layers on x_1, y_1, ..., x_n, y_n, x_query runs k steps {_STEP} from "
            "M_0 = alpha X X^T and predicts y X^T M_k x_query, exactly: position scores, products by squares and "
            "ReLU pairs in place of the printed approximations.",
            PaperNewton(alpha=1, steps=1),
            _CORRECTED,
        ),
        _theorem(
            "interleaved_relu_network_runs_newton_with_the_printed_heads",
            f"The same network of k + 8 ReLU layers with the heads of equations (27-32), {_PRINTED}, runs {_STEP}.",
            PaperNewton(alpha=1, steps=1, printed=True),
            _CORRECTED,
        ),
        *_merged(relu=False),
        *_merged(relu=True),
        *_interleaved(),
        *_printed(),
        *newton_stability.theorems(),
    )


def _merged(relu: bool) -> Iterator[Theorem]:
    """Networks whose tokens carry (x_i, y_i) together: weights rescaled from layer to layer, and one looped set."""
    suffix, by = ("_by_relu_pairs", ", each head as two ReLU heads") if relu else ("", "")
    for network, width, mask, start, rescaled, looped in (
        (
            NewtonFromIdentity,
            "2 d + m",
            "without a mask",
            "k + 1 layers from M_0 = alpha I",
            "newton_from_identity_runs_in_k_plus_1_layers",
            "newton_from_identity_is_one_looped_layer_and_a_read_out",
        ),
        (
            NewtonFromGramMasked,
            "2 d + m",
            "the query masked as a key",
            "k + 2 layers from M_0 = alpha X X^T",
            "newton_from_gram_runs_in_k_plus_2_masked_layers",
            "newton_from_gram_is_one_looped_masked_layer_between_two",
        ),
        (
            NewtonFromGramUnmasked,
            "2 d + 2 m",
            "without a mask",
            "k + 2 layers from M_0 = alpha X X^T",
            "newton_from_gram_runs_in_k_plus_2_unmasked_layers",
            "newton_from_gram_is_one_looped_unmasked_layer_between_two",
        ),
        (
            NewtonFromGramOwnRows,
            "3 d + m",
            "without a mask",
            "k + 2 layers from M_0 = alpha X X^T",
            "newton_from_gram_runs_in_k_plus_2_layers_with_own_rows",
            "newton_from_gram_is_one_looped_layer_with_own_rows_between_two",
        ),
    ):
        claim = f"{start} run {_STEP} and predict Y X^T M_k x_query, of width {width}, {mask}{by}"
        yield _theorem(
            rescaled + suffix,
            f"{claim}; attention alone, its slot u rescaled by 2^-l.",
            network(alpha=1, steps=1, relu=relu),
        )
        yield _theorem(
            looped + suffix,
            f"{claim}; the k Newton layers are one set of weights, looped: attention and a doubling.",
            network(alpha=1, steps=1, relu=relu, looped=True),
        )


def _interleaved() -> Iterator[Theorem]:
    claim = (
        f"k + 2 layers of ReLU attention on x_1, y_1, ..., x_n, y_n, x_query run {_STEP} from M_0 = alpha I and "
        "predict Y X^T M_k x_query, of width 3 d + m + 3, without a mask"
    )
    yield _theorem(
        "newton_from_identity_runs_in_k_plus_2_interleaved_layers",
        f"{claim}; attention alone, its slot u rescaled by 2^-l.",
        NewtonInterleaved(alpha=1, steps=1),
    )
    yield _theorem(
        "newton_from_identity_is_one_looped_interleaved_layer_between_two",
        f"{claim}; the k Newton layers are one set of weights, looped: attention and a doubling.",
        NewtonInterleaved(alpha=1, steps=1, looped=True),
    )


def _printed() -> Iterator[Theorem]:
    for network, name in (
        (NewtonFromGramMasked, "newton_from_gram_runs_in_k_plus_2_masked_layers_with_the_printed_heads"),
        (NewtonFromGramOwnRows, "newton_from_gram_runs_in_k_plus_2_layers_with_own_rows_and_the_printed_heads"),
    ):
        for looped in (False, True):
            yield _theorem(
                name + ("_looped" if looped else ""),
                f"k + 2 layers from M_0 = alpha X X^T, {_PRINTED}, run {_STEP} and predict Y X^T M_k x_query"
                + ("; the k Newton layers are one set of weights, looped." if looped else "."),
                network(alpha=1, steps=1, printed=True, looped=looped),
            )


def _theorem(name: str, statement: str, prototype: Construction, reference: str = _SHARPER) -> Theorem:
    return ConstructionTheorem(
        name=name,
        system=_PAPER if reference == _CORRECTED else "this project",
        reference=reference,
        statement=statement,
        prototype=prototype,
        layers=(0, 1, 2, 3),
    )
