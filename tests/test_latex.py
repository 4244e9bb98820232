"""LaTeX of theorems: every one compiles, no line sticks out, and what is typeset is what was said."""

import re
import shutil
import subprocess

import pytest

from constructions.gradient_descent import GradientDescent
from proofs.catalogue import catalogue
from proofs.latex_document import construction_in_latex, document, proof_in_latex, theorem_in_latex
from proofs.latex_prose import formula_in_latex, prose_in_latex

NAME = "linear_attention_head_takes_one_gradient_step"


def compiled(text, folder):
    """What LaTeX says of a document."""
    (folder / "paper.tex").write_text(text, encoding="utf-8")
    program = shutil.which("pdflatex") or shutil.which("lualatex")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-3000:]
    return run.stdout


@pytest.mark.latex
def test_every_theorem_compiles_with_no_line_too_wide(tmp_path):
    said = compiled(document(theorem_in_latex(theorem) for theorem in catalogue().values()), tmp_path)
    assert not re.findall(r"^Overfull \\hbox.*\n.*", said, re.MULTILINE)


@pytest.mark.latex
def test_what_latex_refuses_is_seen(tmp_path):
    with pytest.raises(AssertionError, match="Undefined control sequence"):
        compiled(document([r"\nosuchcommand"]), tmp_path)


@pytest.mark.latex
def test_a_snippet_can_be_pasted_into_a_paper_that_has_amsmath_only(tmp_path):
    snippet = theorem_in_latex(catalogue()[NAME])
    paper = rf"\documentclass[twocolumn]{{article}}\usepackage{{amsmath}}\begin{{document}}{snippet}\end{{document}}"
    compiled(paper, tmp_path)


def test_a_theorem_has_its_statement_reference_weights_and_proof():
    text = theorem_in_latex(catalogue()[NAME])
    assert r"$W_{K} = W_{Q} = \operatorname{diag}(I, 0)$" in text
    assert r"\emph{Reference:} von Oswald et al. (2023), Proposition 1" in text
    assert r"\begin{bmatrix} 0 & 0 \\ W_{0} & -I \end{bmatrix}" in text
    assert r"W_{0} X - W X - \frac{{\eta}_{l}}{n}" in text


def test_an_argued_theorem_has_its_equations():
    text = theorem_in_latex(catalogue()["one_layer_population_loss_has_a_closed_form"])
    assert r"\frac" in text or r"/n)" in text
    assert r"\lambda_{a}" in text
    assert "UNDECIDED" not in text


def test_the_sides_of_a_printed_identity_are_one_equation():
    text = theorem_in_latex(catalogue()["momentum_sum_is_a_recursion"])
    assert r"$\displaystyle G H = \eta\allowbreak (G H + G) Z = -G + G R$" in text


def test_an_undecided_identity_is_marked():
    class Doubled(GradientDescent):
        def step(self, l, W, prompt):
            return super().step(l, W, prompt).scale(2)

    assert r"\overset{?}{=}" in proof_in_latex(Doubled(step_sizes=[1]))
    assert r"\overset{?}{=}" not in proof_in_latex(GradientDescent(step_sizes=[1]))


def test_a_wide_matrix_is_written_entry_by_entry():
    merging = construction_in_latex(catalogue()["softmax_heads_with_a_sink_merge_alternating_prompt"].construction)
    assert "zero but for" in merging
    assert "zero but for" not in construction_in_latex(GradientDescent(step_sizes=[1]))


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("y_j - dW x_j", "y_{j} - dW x_{j}"),
        ("c_k^2 lam_k^2", r"c_{k}^{2} \lambda_{k}^{2}"),
        ("[[0, 0], [W_0, -I]]", r"\begin{bmatrix} 0 & 0 \\ W_{0} & -I \end{bmatrix}"),
        ("sum_{j != k} lam_j^(2L)", r"\sum_{j \ne  k} \lambda_{j}^{2L}"),
        ("W* X^T", r"W^{*} X^{\top}"),
        ("T_T(x)", "T_{T}(x)"),
        ("sqrt kappa + sqrt(n)", r"\sqrt{\kappa} + \sqrt{n}"),
        ("binomial(2L, k)", r"\binom{2L}{k}"),
        ("sigma2^2", r"(\sigma^{2})^{2}"),
        ("s2 d", r"{s^{2}} d"),
        ("P_yx[a] Omega[a,b]", r"P_{yx,a} \Omega_{a,b}"),
        ("X' Y", r"X^{\prime} Y"),
        ("ReLU(1 - z^2)", r"\operatorname{ReLU}(1 - z^{2})"),
    ],
)
def test_a_formula_is_read(text, latex):
    assert formula_in_latex(text) == latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("one step from any W_0, so", "one step from any $W_{0}$, so"),
        ("k + 8 ReLU layers", "$k + 8$ ReLU layers"),
        ("at a = n / (n + 1) in a loop", "at $a = n / (n + 1)$ in a loop"),
        ("<x, x'> of A and I", r"$\langle x, x^{\prime}\rangle$ of A and I"),
        ("noise sigma2, no more", r"noise ${\sigma^{2}}$, no more"),
        ("their sum is kap |u|^2", r"their sum is $\kappa |u|^{2}$"),
        ("terms of relu^2, and", r"terms of $\operatorname{relu}^{2}$, and"),
        ("(prediction - w^T x_query)^2, or", r"(prediction $- w^{\top}$ $x_{\mathrm{query}}$)${}^{2}$, or"),
        ("see newton_stalls_at_twice_the_norm.", None),
        ("100% of {x} & #1 ~ \\end", None),
    ],
)
def test_a_sentence_is_set_with_its_formulas(text, latex):
    found = prose_in_latex(text)
    if latex is not None:
        assert found == latex
    assert not re.search(r"(?<!\\)[%&#~]", found.replace(r"\textasciitilde{}", ""))


def test_no_symbol_of_a_statement_is_left_as_text():
    for theorem in catalogue().values():
        prose = re.sub(r"\$[^$]*\$", "", prose_in_latex(theorem.statement))
        assert not re.search(r"\bsigma2\b|\bkap\b|relu\\textasciicircum", prose), theorem.name


def test_epsilon_has_one_form():
    text = theorem_in_latex(catalogue()["two_softmax_heads_take_the_centred_gradient_step"])
    assert r"$\displaystyle \varepsilon,\allowbreak \text{any}$" in text
    assert r"\mathrm{eps}" not in text


def test_an_equation_of_given_entries_says_what_is_equal():
    text = theorem_in_latex(catalogue()["relu_gram_matrix_can_be_indefinite"])
    assert r"\operatorname{relu}(X^{\top} X) v = -8 I = \begin{bmatrix} -8 \end{bmatrix}" in text
    assert "right [[" not in text


RENAMED = {"lmax", "lmin", "epsilon", "binomial"}


def test_nothing_of_a_statement_is_lost():
    for theorem in catalogue().values():
        said = set(re.findall(r"[A-Za-z]{4,}", theorem.statement))
        assert said <= set(re.findall(r"[A-Za-z]{4,}", prose_in_latex(theorem.statement))) | RENAMED
