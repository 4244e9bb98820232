"""Online gradient descent (Widrow-Hoff): layer l takes a step on example l alone, in linear attention layers.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d); e_l (n, 1) the unit
vector of example l, so that x_l = X e_l and y_l = Y e_l; examples are taken in turn, l modulo n.

    W <- W - eta_l (W x_l - y_l) x_l^T

The tokens carry position codes: token i the unit vector i. One head copies (x_l, y_l - (W - W_0) x_l) to every token,
since its keys <e_l, code> are 1 at token l and 0 elsewhere. Then every context token is a key with the same input and
residual, and their mean is the one step. The weights depend on l and n, not on the data, and no mask depends on l.

Reference: this project; the least-mean-squares rule of Widrow and Hoff (1960).
"""

from dataclasses import dataclass

from constructions.attention import Head, Mask
from constructions.block import Block, Size
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer, TokenMap
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


def example(l: Index, prompt: Prompt) -> Block:
    """e_l (n, 1), the unit vector of the example of layer l; the examples are taken in turn."""
    return prompt.X.given(f"e_{l}", prompt.n, 1, lambda i, _: int(i == l % prompt.n), opaque=("unit vector", str(l)))


def position_slots(prompt: Prompt) -> dict[str, Size]:
    """The slots of the position code and of a one."""
    return {"code": prompt.n, "one": 1}


def positions(prompt: Prompt) -> dict[tuple[str, str], Block]:
    """The position codes, and a slot that is 1 in every token."""
    return {
        ("code", "context"): prompt.X.identity(prompt.n),
        ("one", "context"): prompt.X.ones(1, prompt.n),
        ("one", "query"): prompt.X.ones(1, 1),
    }


def copying_head(l: Index, prompt: Prompt, value: Weight) -> Head:
    """The head that gives every token the value of the example of layer l: its keys <e_l, code> are 1 there, else 0."""
    return Head(
        key=Weight({("key", "code"): example(l, prompt).T}),
        query=Weight({("key", "one"): 1}),
        value=value,
        mask=Mask(keys=("context",)),
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class OnlineDescent(GradientDescent):
    """k layers that take k online gradient steps, on one example each, in turn.

    Args:
        step_sizes: eta_1, ..., eta_k, one per layer; k = n is one pass over the context, and k may be any number.
        W_0: the weights to start from, (m, d); None is zero.
    """

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        chosen = example(l, prompt)
        x, y = prompt.X @ chosen, prompt.Y @ chosen
        return W - ((W @ x - y) @ x.T).scale(self.step_sizes[l])

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i, 0, 0, code i, 1), and the query (x_query, -W_0 x_query, 0, 0, 0, 1)."""
        embedded = super().embed(prompt)
        slots = {**embedded.slots, "x_l": prompt.d, "r_l": prompt.m, **position_slots(prompt)}
        return Stream(slots, embedded.groups, {**embedded.blocks, **positions(prompt)})

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """Copy x_l and the residual r_l = y_l - W x_l to every token; y <- y - eta r_l <x_l, x>; clear the copies."""
        copied = Weight({("x_l", "x"): 1, ("r_l", "x"): -self.W_0, ("r_l", "y"): 1})
        descend = Head(
            key=Weight({("x", "x_l"): 1}),
            query=Weight({("x", "x"): 1}),
            value=Weight({("y", "r_l"): -1}),
            factor=ratio(self.step_sizes[l], prompt.n),
            mask=Mask(keys=("context",)),
        )
        clear = Weight({("x_l", "x_l"): -1, ("r_l", "r_l"): -1})
        return Layer(Attention(copying_head(l, prompt, copied)), Attention(descend), TokenMap(clear))

    def state(self, l: Index, W: Block, prompt: Prompt) -> State:
        """Before layer l what gradient descent holds, and the positions; the copies are cleared."""
        return {**super().state(l, W, prompt), **positions(prompt)}
