"""The dual form and implicit finetuning, against training and attention written in plain Python and NumPy."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from constructions.construction import forward, streams
from constructions.dual_form import BatchTraining, DualForm, ErrorsAtTheStart, FullBatchTraining
from constructions.prompt import Prompt
from constructions.zero_shot import FinetunedAttention, RelaxedAttention
from numerics.instances import Sizes, exact_parameters, rational_prompt
from numerics.rationals import as_fraction
from numerics.strategies import instances

ONE = [[1]]
HALF = Fraction(1, 2)
U, Y, QUERY = [[1, 1], [0, 1]], [[1, 3]], [[1], [0]]
"""The reference example: u_1 = (1, 0), y_1 = 1, u_2 = (1, 1), y_2 = 3, query (1, 0), from W_0 = 0."""


def table(block):
    return np.array([[as_fraction(value) for value in row] for row in block.entry], dtype=object)


def predicted(construction, prompt):
    return table(forward(construction, prompt))


def errors_of(construction, prompt):
    """What the e slots of the context hold in the end."""
    *_, last = streams(construction, prompt)
    return table(last["e", "context"])


def batch(*members, n=2):
    return [[Fraction(int(i == j and i in members)) for j in range(n)] for i in range(n)]


def test_one_pass_of_sgd_has_the_reference_errors_and_output():
    network = BatchTraining(batches=[batch(0), batch(1)], rates=[HALF, HALF])
    prompt = Prompt(U, Y, QUERY)
    assert errors_of(network, prompt).tolist() == [[HALF, Fraction(5, 4)]]
    assert predicted(network, prompt) == Fraction(7, 4)


def test_one_batch_step_has_the_reference_errors_and_output():
    for network in (BatchTraining(batches=[batch(0, 1)], rates=[HALF]), FullBatchTraining(rates=[HALF])):
        prompt = Prompt(U, Y, QUERY)
        assert errors_of(network, prompt).tolist() == [[HALF, Fraction(3, 2)]]
        assert predicted(network, prompt) == 2


def test_one_pass_of_sgd_with_errors_at_the_start_takes_the_batch_step():
    network = ErrorsAtTheStart(batches=[batch(0), batch(1)], rates=[HALF, HALF])
    assert predicted(network, Prompt(U, Y, QUERY)) == 2


def trained(X, Y, W, schedule, rate):
    """SGD as everybody writes it: batch after batch, each sample's error at the weights before the batch."""
    for members in schedule:
        errors = [(i, Y[:, i] - W @ X[:, i]) for i in members]
        for i, error in errors:
            W = W + rate * np.outer(error, X[:, i])
    return W


@given(
    instances(FullBatchTraining(rates=[1], W_0=ONE), depth=1),
    st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=4),
)
def test_network_trains_by_any_batches_in_any_number_of_epochs(instance, schedule):
    W_0, (rate,), prompt = instance.construction.W_0, instance.construction.rates, instance.prompt
    X, Y, W = (np.array(entry, dtype=object) for entry in (prompt.X, prompt.Y, W_0))
    n = X.shape[1]
    batches = [batch(*(i for i in members if i < n), n=n) for members in schedule]
    network = BatchTraining(batches=batches, rates=[rate] * len(schedule), W_0=W_0)
    W = trained(X, Y, W, [[i for i in members if i < n] for members in schedule], rate)
    assert (predicted(network, prompt) == W @ np.array(prompt.x_query, dtype=object)).all()


def test_pairs_with_columns_of_their_own_are_samples_with_summed_errors():
    """[E_1, E_2] over [X, X] and E_1 + E_2 over X: two epochs with a column for every pair (step, sample)."""
    rng = np.random.default_rng(3)
    prompt = rational_prompt(rng, 3, 2, 2)
    zeros = [[0] * 3] * 2
    E_1, E_2 = exact_parameters(DualForm(errors=[ONE]), Sizes(3, 2, 2), rng, 2).errors
    beside = [[[*a, *b] for a, b in zip(*pair, strict=True)] for pair in ((E_1, zeros), (zeros, E_2))]
    twice = Prompt(*([[*row, *row] for row in entry] for entry in (prompt.X, prompt.Y)), prompt.x_query)
    apart, summed = DualForm(errors=beside), DualForm(errors=[E_1, E_2])
    assert (predicted(apart, twice) == predicted(summed, prompt)).all()
    held = errors_of(apart, twice)
    assert (held[:, :3] == np.array(E_1, dtype=object)).all()
    assert (held[:, 3:] == np.array(E_2, dtype=object)).all()


def exact_instance(prototype, sizes, extras=None):
    rng = np.random.default_rng(4)
    construction = exact_parameters(prototype, sizes, rng, 1)
    return construction, rational_prompt(rng, *sizes, extras)


def arrays(*entries):
    return [np.array(entry, dtype=object) for entry in entries]


PROJECTIONS = {"W_K": ONE, "W_Q": ONE, "W_V": ONE}


def test_relaxed_attention_is_the_zero_shot_map_and_its_update():
    """Token by token: sum over all the keys of v_i <k_i, q>, and the two matrices that they add up to."""
    network, prompt = exact_instance(RelaxedAttention(**PROJECTIONS), Sizes(3, 2, 2), {"Z": (2, 4)})
    X, Z, x, W_K, W_Q, W_V = arrays(prompt.X, prompt.extra("Z"), prompt.x_query, network.W_K, network.W_Q, network.W_V)
    q = W_Q @ x
    attended = sum(W_V @ t[:, None] * ((W_K @ t) @ q) for t in [*X.T, *Z.T])
    zero_shot = sum(np.outer(W_V @ t, W_K @ t) for t in Z.T)
    update = sum(np.outer(W_V @ t, W_K @ t) for t in X.T)
    assert (predicted(network, prompt) == attended).all()
    assert (attended == (zero_shot + update) @ q).all()
    assert (update @ q != 0).any()


def test_finetuned_attention_is_the_zero_shot_map_and_three_terms():
    network, prompt = exact_instance(FinetunedAttention(**PROJECTIONS, dW_K=ONE, dW_V=ONE), Sizes(3, 2, 2))
    X, x, W_K, W_Q, W_V = arrays(prompt.X, prompt.x_query, network.W_K, network.W_Q, network.W_V)
    dW_K, dW_V = arrays(network.dW_K, network.dW_V)
    q, keys, values = W_Q @ x, W_K + dW_K, W_V + dW_V
    assert (predicted(network, prompt) == sum(values @ t[:, None] * ((keys @ t) @ q) for t in X.T)).all()
    terms = [sum(np.outer(A @ t, B @ t) for t in X.T) @ q for A, B in ((dW_V, W_K), (W_V, dW_K), (dW_V, dW_K))]
    zero_shot = sum(np.outer(W_V @ t, W_K @ t) for t in X.T) @ q
    assert (predicted(network, prompt) == zero_shot + sum(terms)).all()
    assert all((term != 0).any() for term in terms)
