"""Every construction of the catalogue is identified: the algorithm that its layers run, and its number of steps."""

from dataclasses import fields, replace
from fractions import Fraction

import pytest

from constructions.functions import FeatureMap, Kernel
from constructions.kernels import RELU, polynomial
from constructions.parameters import map_parameters
from numerics.instances import Sizes, exact_parameters
from proofs import identify
from proofs.catalogue import catalogue

DEPTH = 2

HALF = Fraction(1, 2)

DESCENT, SUM = "gradient descent", "gradient descent on the summed loss"
QUERY = " with the query as an example"
PRECONDITIONED, SHIFTED = "preconditioned gradient descent", "preconditioned gradient descent on shifted labels"
IDENTITY, GRAM = "Newton from alpha I", "Newton from alpha X X^T"
KERNEL = "functional descent with the kernel "

EXPECTED = {
    "GradientDescent": (DESCENT, 2),
    "GaugedAttention": ("the algorithm of GaugedAttention (constructions.gauge)", 2),
    "UnmaskedGradientDescent": (DESCENT + QUERY, 2),
    "OneUnmaskedLayer": (DESCENT, 1),
    "UnmaskedFromZero": (DESCENT + QUERY, 2),
    "GDPlusPlus": ("GD++", 2),
    "TokenMergingThenGradientDescent": (DESCENT, 2),
    "SoftmaxDescent": ("the centred gradient step of two softmax heads", 1),
    "SoftmaxDescentWithSink": ("the gradient step of two softmax heads with a sink", 1),
    "FeatureDescent": ("gradient descent on features", 2),
    "FeatureDescentLimit": ("gradient descent on features", 2),
    "MLPDescent": ("gradient descent on the features of an MLP", 2),
    "KernelSumWithoutStepSize": ("gradient descent on features", 2),
    "PreconditionedDescent": (PRECONDITIONED, 2),
    "UntransposedPreconditioner": (PRECONDITIONED, 2),
    "RelaxedPreconditionedDescent": ("preconditioned gradient descent with moving inputs", 2),
    "StackError": (PRECONDITIONED, 2),
    "RelaxedStackError": ("preconditioned gradient descent with moving inputs", 2),
    "ChangedBasis": ("the algorithm of ChangedBasis (constructions.change_of_basis)", 2),
    "LinearSelfAttention": ("the algorithm of LinearSelfAttention (constructions.self_attention)", 2),
    "OneLayerAttention": ("one linear attention layer", 1),
    "OneLayerReluAttention": ("one ReLU attention layer", 1),
    "SummedAttention": ("one linear attention layer, summed", 1),
    "PaperNewton": (GRAM, 2),
    "NewtonFromIdentity": (IDENTITY, 2),
    "NewtonFromGramMasked": (GRAM, 2),
    "NewtonFromGramUnmasked": (GRAM, 2),
    "NewtonFromGramOwnRows": (GRAM, 2),
    "NewtonInterleaved": (IDENTITY, 2),
    "PaperNewtonWithQuery": (GRAM + QUERY, 2),
    "NewtonFromGramWithQuery": (GRAM + QUERY, 2),
    "PaperNewtonWithQueryClaimedOnGram": (GRAM + QUERY, 2),
    "StalledNewton": (GRAM, 3),
    "StalledNewtonAtRankOne": (GRAM, 3),
    "FirstIterateAsPrinted": (GRAM, 1),
    "NewtonFromIdentityDoubling": (IDENTITY, 2),
    "NewtonFromGramDoubling": (GRAM, 2),
    "DualForm": ("the algorithm of DualForm (constructions.dual_form)", 2),
    "BatchTraining": ("the algorithm of BatchTraining (constructions.dual_form)", 2),
    "FullBatchTraining": (SUM, 2),
    "FinetunedAttention": ("the algorithm of FinetunedAttention (constructions.zero_shot)", 1),
    "FirstOrderFinetuning": ("the algorithm of FinetunedAttention (constructions.zero_shot)", 1),
    "MomentumAttention": ("the algorithm of MomentumAttention (constructions.momentum_attention)", 1),
    "OuterProductMomentum": ("the algorithm of OuterProductMomentum (constructions.outer_products)", 2),
    "LoopedTransformer": (PRECONDITIONED, 2),
    "TransformedPrompt": ("the algorithm of TransformedPrompt (constructions.whitening)", 2),
    "UnmaskedLoopedTransformer": (SHIFTED + QUERY, 2),
    "FunctionalDescent": (KERNEL + "polynomial(2)", 2),
    "FunctionalDescentClosedForm": (KERNEL + "polynomial(2)", 2),
    "FunctionalDescentError": (KERNEL + "polynomial(2)", 2),
    "AlternatingDescent": ("the algorithm of AlternatingDescent (constructions.functional_limits)", 2),
    "LinearKernelDescent": (DESCENT, 2),
    "PromptKernelDescent": (KERNEL + "softmax", 2),
    "SoftmaxDescentError": (KERNEL + "softmax", 2),
    "SoftmaxDescentTopMode": (KERNEL + "softmax", 2),
    "TwoKernelDescent": ("the algorithm of TwoKernelDescent (constructions.kernel_heads)", 2),
    "TransformedKernelAttention": ("the algorithm of TransformedKernelAttention (constructions.kernel_attention)", 2),
    "ReciprocalMaps": ("the algorithm of ReciprocalMaps (constructions.kernel_heads)", 2),
    "ChainOfThought": (DESCENT, 2),
    "PreconditionedChainOfThought": (PRECONDITIONED, 2),
    "SparseChainOfThought": ("the algorithm of SparseChainOfThought (constructions.sparse_chain_of_thought)", 2),
    "OneForwardPass": ("the algorithm of OneForwardPass (constructions.without_chain_of_thought)", 1),
    "HeavyBall": ("heavy ball", 2),
    "NesterovDescent": ("Nesterov's method", 2),
    "TwoMemories": ("momentum with two memories", 2),
    "RidgeDescent": ("ridge descent", 2),
    "StepPolynomial": (PRECONDITIONED + " with numbers of its own in each step", 2),
    "GDPlusPlusSpectrum": ("GD++", 2),
    "NewtonSpectrum": (GRAM, 2),
    "ConvergesAtTwiceTheInverseNorm": (GRAM, 3),
    "NewtonFromGramResidual": (GRAM, 2),
    "NewtonFromIdentityResidual": (IDENTITY, 2),
    "LoopedClosedForm": (PRECONDITIONED, 2),
    "LoopedSpectrum": (PRECONDITIONED, 2),
    "FunctionalDescentSpectrum": (KERNEL + "polynomial(2)", 2),
    "FunctionalDescentBound": (KERNEL + "polynomial(2)", 2),
    "ChainOfThoughtClosedForm": (DESCENT, 2),
    "ChainOfThoughtSpectrum": (DESCENT, 2),
    "OnlineDescent": ("online gradient descent", 2),
}
"""The algorithm and the number of steps, of a network with two steps where that is left open."""

MISTAKEN = {
    "PositiveQueryStart": DESCENT,
    "PaperNewtonEqualValues": GRAM,
    "CausalNewton": GRAM,
    "MLPOnWholeTokens": "gradient descent on the features of an MLP",
    "ErrorsAtTheStart": "the algorithm of BatchTraining (constructions.dual_form)",
    "ValuesAsOuterProducts": "the algorithm of OuterProductMomentum (constructions.outer_products)",
    "ShrunkAfterTheStep": "ridge descent",
    "RidgeWithTheSignOfTheDemo": "ridge descent",
    "GDPlusPlusWithStartInValue": "GD++",
}
"""Networks of printed statements that are wrong: what they are said to run, and do not."""

NO_PREDICTORS = {
    "NextTokenCopy": "reads out",
    "TokenMerging": "reads out",
    "LowerDiagonalCopy": "reads out",
    "EveryCodeErased": "reads out",
    "OneHeadMerging": "reads out",
    "SoftmaxMerging": "reads out",
    "RelaxedAttention": "needs further data",
    "QueryWithLabel": "needs further data",
}
"""Networks that do not predict the target of a query from a prompt: what the refusal says."""


def prototypes():
    """One network of each class, the first of the catalogue."""
    found = {}
    for theorem in catalogue().values():
        if theorem.construction is not None:
            found.setdefault(type(theorem.construction).__name__, theorem.construction)
    return found


PROTOTYPES = prototypes()


def instance(name):
    """The network with two layers where that is left open, kernels and maps where they are arbitrary, mild numbers."""
    held = PROTOTYPES[name]
    for each in fields(held):
        value = getattr(held, each.name)
        if isinstance(value, Kernel) and value.is_arbitrary:
            held = replace(held, **{each.name: polynomial(2) if each.name == "kernel" else RELU})
        if isinstance(value, FeatureMap) and value.is_arbitrary:
            held = replace(held, **{each.name: FeatureMap("square", lambda block: block.square() + block)})
    if name in EXPECTED and name != "GradientDescent" and hasattr(held, "W_0"):
        held = replace(held, W_0=None)  # any start is found like that of gradient descent; numbers take time
    targets = held.targets if isinstance(held.targets, int) else 1
    held = exact_parameters(held, Sizes(4, 2, targets), 5, DEPTH)
    return map_parameters(held, mild)


def mild(value, declared):
    """A matrix near the identity, or a number in (0, 1]: no method is far from where it converges."""
    if declared.is_matrix:
        return [[entry / 8 + (i == j) for j, entry in enumerate(row)] for i, row in enumerate(value)]
    return value if declared.counts_layers else abs(value) / 2 or HALF


def test_every_network_of_the_catalogue_is_identified_or_refused_for_a_reason():
    assert PROTOTYPES.keys() == EXPECTED.keys() | MISTAKEN.keys() | NO_PREDICTORS.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_identification_names_the_algorithm_and_its_steps(name):
    assert EXPECTED[name] in identify(instance(name), most=3).ties


@pytest.mark.parametrize("name", MISTAKEN)
def test_a_wrong_network_is_not_taken_for_what_it_is_said_to_run(name):
    assert MISTAKEN[name] not in dict(identify(instance(name), most=3).ties)


@pytest.mark.parametrize("name", NO_PREDICTORS)
def test_what_predicts_no_target_is_refused(name):
    with pytest.raises(ValueError, match=NO_PREDICTORS[name]):
        identify(instance(name))
