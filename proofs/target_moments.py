"""Moments of targets t(x) = a u + b u^2 + c u^3 + ..., u = w^T x, for symbolic n, d and sigma2.

Symbols: x_i, x_query, w ~ N(0, I); y_i = t(x_i) + eps_i with noise sigma2; n v = sum_i y_i x_i;
cvec[m] = E_x x[m] t(x). A link is given by its coefficients (a, b, c, ...).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import sympy

from proofs.gaussian_moments import NOISE, Gaussian, X, eps, expectation, w, x_query
from proofs.index_sums import Factor, IndexSum, n, summed

Coefficients = tuple[Any, ...]
"""(a, b, c, ...) of t(u) = a u + b u^2 + c u^3 + ..."""

ISOTROPIC = (Gaussian(X), Gaussian(x_query), NOISE, Gaussian(w))
Products = list[tuple[Any, list[Factor]]]


def target(link: Coefficients, name: str, sample: str | None = None) -> Products:
    """t(w^T x) for the query, or for a sample by its index, as terms."""
    terms: Products = []
    for power, coefficient in enumerate(link, start=1):
        factors: list[Factor] = []
        for number in range(power):
            label = f"{name}{number}"
            factors += [w(label), X(label, sample) if sample is not None else x_query(label)]
        terms.append((coefficient, factors))
    return terms


def label(link: Coefficients, name: str, sample: str) -> Products:
    """y_i = t(x_i) + eps_i."""
    return [*target(link, name, sample), (1, [eps(sample)])]


def multiplied(*polynomials: Products) -> IndexSum:
    """The product, in normal form; equal labels in it are one index."""
    return summed(
        (sympy.Mul(*(c for c, _ in choice)), [factor for _, factors in choice for factor in factors])
        for choice in product(*polynomials)
    )


def one(*factors: Factor) -> Products:
    """The product of the factors, as a polynomial."""
    return [(1, list(factors))]


@lru_cache(maxsize=64)
def component_norm(link: Coefficients) -> Any:
    """E |cvec|^2 = E t(x) t(x') x^T x' for two independent inputs with one w."""
    other = Gaussian(X)
    pair = multiplied(target(link, "p"), one(x_query("m"), X("m", "i")), target(link, "q", "i"))
    return sympy.factor(expectation(pair, (other, *ISOTROPIC[1:])).scalar / n)


@lru_cache(maxsize=64)
def target_moment(link: Coefficients) -> Any:
    """E t(x_query) x_query^T (n v)."""
    value = multiplied(target(link, "p"), one(x_query("m")), label(link, "q", "i"), one(X("m", "i")))
    return sympy.factor(expectation(value, ISOTROPIC).scalar)


@lru_cache(maxsize=64)
def label_moment(link: Coefficients) -> Any:
    """E |n v|^2."""
    value = multiplied(label(link, "p", "i"), one(X("m", "i"), X("m", "j")), label(link, "q", "j"))
    return sympy.factor(expectation(value, ISOTROPIC).scalar)


@lru_cache(maxsize=64)
def weighted_power(link: Coefficients) -> Any:
    """E t(x)^2 |x|^2."""
    value = multiplied(target(link, "p"), one(x_query("m"), x_query("m")), target(link, "q"))
    return sympy.factor(expectation(value, ISOTROPIC).scalar)


@lru_cache(maxsize=64)
def target_power(link: Coefficients) -> Any:
    """E t(x)^2."""
    return sympy.factor(expectation(multiplied(target(link, "p"), target(link, "q")), ISOTROPIC).scalar)
