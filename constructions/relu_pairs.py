"""ReLU pairs: two ReLU heads are one linear head.

ReLU(z) - ReLU(-z) = z, so the heads (Q, K, V) and (-Q, K, -V) with ReLU scores add what the linear head (Q, K, V) adds.

Reference: Fu et al. (2024), equations (21) and (28), which print V_2 = +V_1; that gives |z|.
"""

from dataclasses import replace

from constructions.attention import Head
from constructions.block import Block
from constructions.layer import Attention, Layer
from constructions.weights import Weight


def negated(weight: Weight) -> Weight:
    """The weight with every block negated."""
    return Weight({slots: block.scale(-1) if isinstance(block, Block) else -block for slots, block in weight.items()})


def relu_pair(head: Head) -> tuple[Head, Head]:
    """The two ReLU heads that are one linear head.

    Raises:
        ValueError: if the head is not linear.
    """
    if head.score != "linear":
        raise ValueError(f"only a linear head is a pair of ReLU heads, but its score is {head.score!r}")
    return (
        replace(head, score="relu"),
        replace(head, score="relu", query=negated(head.query), value=negated(head.value)),
    )


def with_relu_pairs(layer: Layer) -> Layer:
    """The layer with every linear head replaced by its two ReLU heads."""
    return Layer(
        *(
            Attention(*(relu for head in part.heads for relu in relu_pair(head)), skip=part.skip)
            if isinstance(part, Attention)
            else part
            for part in layer.sublayers
        )
    )
