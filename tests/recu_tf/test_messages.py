import pytest

from recu_tf.messages import format_count, in_one_line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError(" two\n  lines\t"), "two lines"),
        (MemoryError(), "MemoryError"),
        (RuntimeError("\n"), "RuntimeError"),
    ],
)
def test_error_is_one_line_that_is_never_empty(error, expected):
    assert in_one_line(error) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 layers"), (1, "1 layer"), (1200, "1,200 layers")]
)
def test_noun_has_the_number_of_what_is_counted(number, expected):
    assert format_count(number, "layer") == expected
