"""What a transformer is, and each published algorithm with the weights that run it. Standard library only."""

from constructions.block import Block, FeatureMap, Kernel, kind_of
from constructions.chain_of_thought import ChainOfThought
from constructions.construction import Construction, forward, iterates, streams
from constructions.decoding import Decoding
from constructions.functional_descent import FunctionalDescent
from constructions.gauge import GaugedAttention
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.kernel_descent import FeatureDescent, MLPDescent
from constructions.looped import LoopedTransformer
from constructions.parameters import Repeated
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt

__all__ = [
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
    "Kernel",
    "LoopedTransformer",
    "MLPDescent",
    "PreconditionedDescent",
    "Prompt",
    "RelaxedPreconditionedDescent",
    "Repeated",
    "forward",
    "iterates",
    "kind_of",
    "streams",
]
