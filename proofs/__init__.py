"""The theorems: statement, reference, proof and evidence; the command line and the reports."""

from proofs.catalogue import catalogue, theorem_named
from proofs.evidence import Evidence, Settings
from proofs.induction import prove
from proofs.proof import Proof
from proofs.theorem import Theorem, Verification, verify

__all__ = [
    "Evidence",
    "Proof",
    "Settings",
    "Theorem",
    "Verification",
    "catalogue",
    "prove",
    "theorem_named",
    "verify",
]
