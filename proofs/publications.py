"""The papers whose theorems the catalogue holds."""

from __future__ import annotations

from typing import NamedTuple


class Publication(NamedTuple):
    """A paper, as it is cited."""

    authors: str
    title: str
    arxiv: str

    @property
    def address(self) -> str:
        """Where it can be read."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def __str__(self) -> str:
        return f"{self.authors}. {self.title}. arXiv:{self.arxiv}"


PUBLICATIONS = {
    "von Oswald et al. 2023": Publication(
        "J. von Oswald, E. Niklasson, E. Randazzo, J. Sacramento, A. Mordvintsev, A. Zhmoginov, M. Vladymyrov",
        "Transformers learn in-context by gradient descent",
        "2212.07677",
    ),
    "Ahn et al. 2023": Publication(
        "K. Ahn, X. Cheng, H. Daneshmand, S. Sra",
        "Transformers learn to implement preconditioned gradient descent for in-context learning",
        "2306.00297",
    ),
    "Mahankali et al. 2023": Publication(
        "A. Mahankali, T. B. Hashimoto, T. Ma",
        "One step of gradient descent is provably the optimal in-context learner with one layer of linear "
        "self-attention",
        "2307.03576",
    ),
    "Fu et al. 2024": Publication(
        "D. Fu, T.-Q. Chen, R. Jia, V. Sharan",
        "Transformers learn to achieve second-order convergence rates for in-context linear regression",
        "2310.17086",
    ),
    "Dai et al. 2022": Publication(
        "D. Dai, Y. Sun, L. Dong, Y. Hao, S. Ma, Z. Sui, F. Wei",
        "Why can GPT learn in-context? Language models implicitly perform gradient descent as meta-optimizers",
        "2212.10559",
    ),
    "Gatmiry et al. 2024": Publication(
        "K. Gatmiry, N. Saunshi, S. J. Reddi, S. Jegelka, S. Kumar",
        "Can looped transformers learn to implement multi-step gradient descent for in-context learning?",
        "2410.08292",
    ),
    "Cheng et al. 2024": Publication(
        "X. Cheng, Y. Chen, S. Sra",
        "Transformers implement functional gradient descent to learn non-linear functions in context",
        "2312.06528",
    ),
    "Huang et al. 2025": Publication(
        "J. Huang, Z. Wang, J. D. Lee",
        "Transformers learn to implement multi-step gradient descent with chain of thought",
        "2502.21212",
    ),
}
"""By system; what this project derived is in none of them."""
