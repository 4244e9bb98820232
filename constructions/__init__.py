"""What a transformer is, and each published algorithm with the weights that run it. Standard library only."""

from constructions.attention import Head, Mask, causal
from constructions.block import Block, FeatureMap, Kernel, kind_of
from constructions.chain_of_thought import ChainOfThought
from constructions.construction import Construction, forward, iterates, streams
from constructions.decoding import Decoding
from constructions.example_tokens import example_tokens, residual_state
from constructions.functional_descent import FunctionalDescent
from constructions.gauge import GaugedAttention
from constructions.gdpp import GDPlusPlus
from constructions.given_weights import constant, given_head, given_map, given_mlp, given_weight
from constructions.gradient_descent import GradientDescent
from constructions.kernel_descent import FeatureDescent, MLPDescent
from constructions.layer import MLP, Attention, Layer, TokenFunction, TokenMap
from constructions.looped import LoopedTransformer
from constructions.parameters import Repeated, depth, layer_count, matrix, scalar
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import ANYTHING, Handover, Loop, Relation, Single
from constructions.stream import Stream
from constructions.weights import Weight

__all__ = [
    "ANYTHING",
    "MLP",
    "Attention",
    "Block",
    "ChainOfThought",
    "Construction",
    "Decoding",
    "FeatureDescent",
    "FeatureMap",
    "FunctionalDescent",
    "GDPlusPlus",
    "GaugedAttention",
    "GradientDescent",
    "Handover",
    "Head",
    "Kernel",
    "Layer",
    "Loop",
    "LoopedTransformer",
    "MLPDescent",
    "Mask",
    "PreconditionedDescent",
    "Prompt",
    "Relation",
    "RelaxedPreconditionedDescent",
    "Repeated",
    "Single",
    "Stream",
    "TokenFunction",
    "TokenMap",
    "Weight",
    "causal",
    "constant",
    "depth",
    "example_tokens",
    "forward",
    "given_head",
    "given_map",
    "given_mlp",
    "given_weight",
    "iterates",
    "kind_of",
    "layer_count",
    "matrix",
    "ratio",
    "residual_state",
    "scalar",
    "streams",
]
