"""Tokens of examples: the prompt as (x_i, y_i) and (x_query, ...), and what residuals make of it.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1).
"""

from constructions.block import Block, Size
from constructions.prompt import Prompt
from constructions.stream import Stream


def example_tokens(prompt: Prompt, **slots: Size) -> Stream:
    """Tokens (x_i, y_i), and the query (x_query, 0); further slots, name=rows, are empty."""
    return Stream(
        slots={"x": prompt.d, "y": prompt.m, **slots},
        groups={"context": prompt.n, "query": 1},
        blocks={("x", "context"): prompt.X, ("y", "context"): prompt.Y, ("x", "query"): prompt.x_query},
    )


def residual_state(prompt: Prompt, residuals: Block, prediction: Block) -> dict[tuple[str, str], Block]:
    """Tokens (x_i, residual_i), and the query (x_query, -prediction).

    Args:
        prompt: the inputs.
        residuals: (m, n).
        prediction: for the query, (m, 1).
    """
    return {
        ("x", "context"): prompt.X,
        ("y", "context"): residuals,
        ("x", "query"): prompt.x_query,
        ("y", "query"): -prediction,
    }
