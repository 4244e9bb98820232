"""Adam takes PyTorch's steps, clips as asked, and halves its step size."""

import numpy as np
import pytest

from numerics.adam import Adam, adam_step, gradient_norm, initial_state


def gradients_of(seed, count):
    rng = np.random.default_rng(seed)
    return [{"A": rng.standard_normal((2, 3)), "B": 100 * rng.standard_normal((1, 2))} for _ in range(count)]


def stepped(adam, gradients):
    state = initial_state({name: np.ones_like(matrix) for name, matrix in gradients[0].items()})
    for gradient in gradients:
        state = adam_step(adam, state, gradient)
    return state


@pytest.mark.torch
@pytest.mark.parametrize(
    ("adam", "schedule"),
    [
        (Adam(0.02, (0.99, 0.9), halve_every=3), 3),
        (Adam(1e-3, (0.9, 0.98), eps=1e-8), None),
        (Adam(0.1, (0.9, 0.999), eps=0.5), None),
    ],
)
def test_steps_are_those_of_pytorch(adam, schedule):
    import torch

    gradients = gradients_of(0, 8)
    theirs = {name: torch.ones(matrix.shape, dtype=torch.float64) for name, matrix in gradients[0].items()}
    optimiser = torch.optim.AdamW(
        list(theirs.values()), lr=adam.learning_rate, betas=adam.betas, eps=adam.eps, weight_decay=0
    )
    halving = torch.optim.lr_scheduler.StepLR(optimiser, schedule or 1000, 0.5)
    for gradient in gradients:
        for name, parameter in theirs.items():
            parameter.grad = torch.from_numpy(gradient[name])
        optimiser.step()
        halving.step()
    ours = stepped(adam, gradients).matrices
    for name, parameter in theirs.items():
        # Both round every operation of 8 steps differently: about 20 roundings each, of numbers up to 2.
        assert np.abs(ours[name] - parameter.numpy()).max() <= 8 * 20 * 2 * np.finfo(float).eps


def test_first_step_moves_every_entry_by_the_learning_rate():
    [gradient] = gradients_of(1, 1)
    moved = stepped(Adam(0.25, eps=1e-300), [gradient]).matrices
    for name, matrix in moved.items():
        assert np.abs(matrix - (1 - 0.25 * np.sign(gradient[name]))).max() <= 4 * np.finfo(float).eps


def test_step_size_is_halved_after_the_steps_asked_for():
    adam = Adam(0.5, halve_every=2)
    assert [adam.rate(t) for t in (1, 2, 3, 4, 5)] == [0.5, 0.5, 0.25, 0.25, 0.125]
    assert Adam(0.5).rate(10**6) == 0.5


def first_moments(adam, gradient):
    """(1 - beta_1) times the gradient as it was clipped."""
    return stepped(adam, [gradient]).first


def test_clip_shortens_all_matrices_by_one_factor():
    gradient = {"A": np.array([[3.0]]), "B": np.array([[0.0, 4.0]])}
    clipped = first_moments(Adam(betas=(0.5, 0.5), clip=2.5), gradient)
    assert (clipped["A"].tolist(), clipped["B"].tolist()) == ([[0.75]], [[0.0, 1.0]])


def test_clip_of_each_matrix_leaves_short_ones():
    gradient = {"A": np.array([[1.0]]), "B": np.array([[0.0, 4.0]])}
    clipped = first_moments(Adam(betas=(0.5, 0.5), clip=2.0, clip_each=True), gradient)
    assert (clipped["A"].tolist(), clipped["B"].tolist()) == ([[0.5]], [[0.0, 1.0]])


def test_short_gradients_are_not_clipped():
    gradient = {"A": np.array([[3.0]]), "B": np.array([[0.0, 4.0]])}
    assert gradient_norm(gradient) == 5
    assert first_moments(Adam(betas=(0.5, 0.5), clip=5.0), gradient)["A"].tolist() == [[1.5]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": -1e-3}, "learning_rate = -0.001: it must be finite and above 0"),
        ({"learning_rate": float("nan")}, "learning_rate = nan"),
        ({"eps": 0}, "eps = 0: it must be finite and above 0"),
        ({"clip": 0}, "clip = 0: it must be finite and above 0"),
        ({"betas": (0.9, 1)}, r"betas = \(0.9, 1\): they must be two numbers"),
        ({"betas": (0.9,)}, r"betas = \(0.9,\)"),
        ({"halve_every": 0}, "halve_every = 0: it must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Adam(**changes)
