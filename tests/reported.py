"""A small report: a few theorems of every kind of page, verified on three instances."""

from proofs.command_line import main

HEAD = "linear_attention_head_takes_one_gradient_step"
FALSE = "query_started_at_plus_w0_x_as_printed_is_false"
NEWTON = "newton_from_identity_runs_in_k_plus_1_layers"
SOFTMAX = "a_sink_turns_two_softmax_heads_into_a_gradient_step"
ARGUED = "newton_depth_is_the_logarithm_of_gradient_descent_depth"
LEMMA = "product_is_a_difference_of_squares"
NAMES = (HEAD, FALSE, NEWTON, SOFTMAX, ARGUED, LEMMA)


def evidence_written(path, *names):
    """The file with the evidence for the theorems."""
    assert main(["verify", *(names or NAMES), "--instances", "3", "--jobs", "1", "--json", str(path)]) == 0
    return path


def report_written(evidence, path):
    """The report from that evidence."""
    assert main(["report", "--from", str(evidence), "--jobs", "1", "--output", str(path)]) == 0
    return path
