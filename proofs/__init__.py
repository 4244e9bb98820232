"""The theorems: statement, reference, proof and evidence; the command line and the reports."""

from proofs.catalogue import catalogue, theorem_named
from proofs.checking import Check, check
from proofs.evidence import Evidence, Settings
from proofs.identification import Identification, identify
from proofs.induction import prove
from proofs.newton_data_run import NewtonRun, newton_run
from proofs.proof import Proof
from proofs.theorem import Theorem, Verification, verify

__all__ = [
    "Check",
    "Evidence",
    "Identification",
    "NewtonRun",
    "Proof",
    "Settings",
    "Theorem",
    "Verification",
    "catalogue",
    "check",
    "identify",
    "newton_run",
    "prove",
    "theorem_named",
    "verify",
]
