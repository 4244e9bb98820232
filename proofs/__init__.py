"""The theorems: statement, reference, proof and evidence; the command line and the reports."""
