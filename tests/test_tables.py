"""A table is read exactly, or refused in a sentence that names the line and the column."""

from fractions import Fraction

import pytest

from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from numerics.rationals import RationalBlock
from numerics.tables import Table, prompts_from_table, prompts_of_coefficients, read_table, with_powers

TABLE = Table(
    ("height", "width", "weight"),
    tuple(tuple(Fraction(10 * row + column) for column in range(3)) for row in range(1, 5)),
)


@pytest.fixture
def written(tmp_path):
    """Writes the text of a table, and gives the path of its file."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# Reading.


def test_header_names_the_columns(written):
    assert read_table(written("x,y\n1,2\n")).columns == ("x", "y")


def test_rows_keep_their_order(written):
    assert read_table(written("x,y\n1,2\n3,4\n")).rows == ((1, 2), (3, 4))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", Fraction(12)),
        ("-0.1", Fraction(-1, 10)),
        ("+3.", Fraction(3)),
        (".5", Fraction(1, 2)),
        ("1.5E-3", Fraction(3, 2000)),
        ("2e2", Fraction(200)),
        ("-0.358191792925910E-01", Fraction(-358191792925910, 10**16)),
        ("0.1000000000000000055511151231257827", Fraction(1000000000000000055511151231257827, 10**34)),
    ],
)
def test_a_cell_is_the_decimal_number_that_it_shows(written, cell, value):
    assert read_table(written(f"x\n{cell}\n")).rows == ((value,),)


@pytest.mark.parametrize(
    "text",
    [
        "x,y\r\n1,2\r\n",
        "x,y\n1,2",
        "x,y\n1,2\n\n\n",
        "x,y\n1,2\n,\n",
        " x , y \n 1 , 2 \n",
        '"x","y"\n"1", "2"\n',
        "\ufeffx,y\n1,2\n",
    ],
    ids=["CRLF", "no last newline", "empty last lines", "empty last row", "spaces", "quotes", "byte order mark"],
)
def test_what_editors_and_spreadsheets_add_does_not_count(written, text):
    assert read_table(written(text)) == Table(("x", "y"), ((Fraction(1), Fraction(2)),))


def test_a_path_may_be_a_string(written):
    assert read_table(str(written("x\n1\n"))).columns == ("x",)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing.csv cannot be opened: No such file .*; check the path"):
        read_table(tmp_path / "missing.csv")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(OSError, match=r"cannot be opened: .*; check the path"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table.csv is empty: a header that names the columns, and rows of numbers, are required"),
        ("\n\n", r"table.csv is empty"),
        ("x,y\n", r"table.csv has a header but no data: at least one row of numbers is required"),
        ("1,2\n3,4\n", r"line 1: the names of the columns are required first, but numbers came; add a header"),
        ("\nx,y\n1,2\n", r"line 1: the names of the columns are required first, but an empty line came"),
        ("x,,z\n1,2,3\n", r"line 1: column 2 has no name; give it one"),
        ("x,y,x\n1,2,3\n", r"line 1: columns 1 and 3 are both named 'x'; rename one of them"),
        ("x,y\n1,2\n3\n", r"line 3: the header names 2 columns, but this row has 1 cells"),
        ("x,y\n1,2,3\n", r"line 2: the header names 2 columns, but this row has 3 cells"),
        ("x,y\n1,2\n\n3,4\n", r"line 3: the header names 2 columns, but this row has 0 cells"),
        ("x,y\n1,2\n3,\n", r"line 3, column 'y': the cell is empty; fill it in or remove the row"),
        ('x,y\n1,"2\n', r"line 2: this is no CSV \(unexpected end of data\); check the quotes"),
        (b"x,y\n1,\xff\n", r"is not text in UTF-8: save the table as CSV in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(written, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(written(text))


@pytest.mark.parametrize(
    "cell",
    ["NaN", "inf", "-Infinity", "abc", "1/3", "1_000", "0x10", "1 000", ".", "+", "e5", "1e9999", "9" * 401, "٣"],
)
def test_a_cell_that_is_no_decimal_number_is_refused(written, cell):
    with pytest.raises(ValueError, match=r"line 3, column 'y': a decimal number such as 12, .* came; correct the cell"):
        read_table(written(f"x,y\n1,2\n3,{cell}\n"))


def test_the_line_of_a_row_after_a_quoted_line_break_is_the_line_of_the_file(written):
    with pytest.raises(ValueError, match=r"line 4, column 'y'"):
        read_table(written('"x\n(m)",y\n1,2\n3,no\n'))


# Prompts.


def test_rows_but_the_last_are_the_context():
    (prompt,) = prompts_from_table(TABLE, "weight")
    assert (prompt.X, prompt.Y) == ([[1, 1, 1], [10, 20, 30], [11, 21, 31]], [[12, 22, 32]])


def test_the_last_row_is_the_query():
    (prompt,) = prompts_from_table(TABLE, "weight")
    assert prompt.x_query == [[1], [40], [41]]


def test_every_query_has_the_same_context():
    first, second = prompts_from_table(TABLE, "weight", queries=2)
    assert (first.X, first.Y) == (second.X, second.Y) == ([[1, 1], [10, 20], [11, 21]], [[12, 22]])


def test_queries_keep_their_order():
    assert [p.x_query for p in prompts_from_table(TABLE, "weight", queries=2)] == [[[1], [30], [31]], [[1], [40], [41]]]


def test_features_keep_the_order_of_the_file():
    (prompt,) = prompts_from_table(TABLE, "height", intercept=False)
    assert prompt.X == [[11, 21, 31], [12, 22, 32]]


def test_several_targets_come_in_the_order_asked_for():
    (prompt,) = prompts_from_table(TABLE, ["weight", "height"])
    assert prompt.Y == [[12, 22, 32], [10, 20, 30]]


def test_an_intercept_alone_is_a_feature():
    (prompt,) = prompts_from_table(TABLE, TABLE.columns)
    assert (prompt.X, prompt.x_query) == ([[1, 1, 1]], [[1]])


def test_prompts_of_a_table_are_exact():
    (prompt,) = prompts_from_table(TABLE, "weight")
    assert type(forward(GradientDescent(step_sizes=[1]), prompt)) is RationalBlock


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "wieght"}, r"the table has no column 'wieght'; did you mean 'weight'"),
        ({"target": ["weight", "q"]}, r"no column 'q'; did you mean 'height' or 'width' or 'weight'\?"),
        ({"target": []}, r"target is empty: name one or more of the columns height, width, weight"),
        ({"target": ["weight", "weight"]}, r"the target 'weight' is named 2 times; name it once"),
        ({"target": TABLE.columns, "intercept": False}, r"no feature is left; name fewer, or pass intercept=True"),
        ({"target": "weight", "queries": 0}, r"queries = 0: at least 1 row must be a query"),
        ({"target": "weight", "queries": 4}, r"queries = 4 needs at least 5 rows, .* the table has 4; add rows"),
    ],
)
def test_a_prompt_that_the_table_cannot_give_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        prompts_from_table(TABLE, **arguments)


# Coefficients and powers.


def test_prompts_of_coefficients_hold_every_row_in_context():
    prompts = prompts_of_coefficients(TABLE, "weight")
    assert [p.X for p in prompts] == 3 * [[[1, 1, 1, 1], [10, 20, 30, 40], [11, 21, 31, 41]]]
    assert [p.Y for p in prompts] == 3 * [[[12, 22, 32, 42]]]


def test_prompts_of_coefficients_ask_for_the_basis_vectors():
    assert [p.x_query for p in prompts_of_coefficients(TABLE, "weight")] == [
        [[1], [0], [0]],
        [[0], [1], [0]],
        [[0], [0], [1]],
    ]


def test_prompts_of_coefficients_leave_the_intercept_out():
    prompts = prompts_of_coefficients(TABLE, "weight", intercept=False)
    assert [p.x_query for p in prompts] == [[[1], [0]], [[0], [1]]]


def test_prompts_of_coefficients_refuse_a_missing_target():
    with pytest.raises(ValueError, match="the table has no column 'wieght'; did you mean 'weight'"):
        prompts_of_coefficients(TABLE, "wieght")


PAIRS = Table(("y", "x"), ((Fraction(5), Fraction(1, 2)), (Fraction(7), Fraction(-3))))


def test_powers_are_exact_and_named():
    assert with_powers(PAIRS, "y", 3) == Table(
        ("x", "x^2", "x^3", "y"), ((Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), 5), (-3, 9, -27, 7))
    )


@pytest.mark.parametrize(
    ("table", "target", "degree", "message"),
    [
        (PAIRS, "y", 0, r"degree = 0: it must be one of 1, \.\.\., 100"),
        (PAIRS, "y", 101, r"degree = 101: it must be one of 1, \.\.\., 100"),
        (PAIRS, "z", 2, "the table has no column 'z'"),
        (TABLE, "weight", 2, "a polynomial in one feature, but the table has 2 beside the target"),
        (Table(("y",), ((Fraction(1),),)), "y", 2, "a polynomial in one feature, but the table has 0"),
        (Table(("x", "x^2"), ()), "x^2", 3, r"the target 'x\^2' has the name of a power of 'x'; rename it"),
    ],
)
def test_powers_that_the_table_cannot_give_are_refused(table, target, degree, message):
    with pytest.raises(ValueError, match=message):
        with_powers(table, target, degree)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x;y\n1;2\n", "semicolons"),
        ("x;y\n1,5;2,5\n", "semicolons"),
        ("1;2\n3;4\n", "semicolons"),
        ("x\ty\n1\t2\n", "tabs"),
        ("x|y\n1|2\n", "bars"),
        (" y  x\n 0.1  0.2\n", "spaces"),
    ],
)
def test_another_separator_than_a_comma_is_named(written, text, name):
    with pytest.raises(ValueError, match=f"line 1: {name} separate the cells, but commas are required; save"):
        read_table(written(text))


@pytest.mark.parametrize("name", ["height (m); mean", "body height"])
def test_a_name_may_hold_what_separates_cells_elsewhere(written, name):
    assert read_table(written(f"{name}\n1\n")).columns == (name,)
