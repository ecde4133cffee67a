from experiments.benchmarks.loss_reasons import REASONS, UNKNOWN, describe_losses
from experiments.benchmarks.measured_tables import Table, compare_numbers
from experiments.benchmarks.training_step import FLOAT, OURS


def table_of(*rows):
    return Table("training_time", "Title", "ms", OURS, list(rows))


def test_reason_is_shown_only_where_a_loss_was_measured():
    won = compare_numbers("A", {OURS: 1, FLOAT: 2}, OURS)
    lost = compare_numbers("B", {OURS: 2, FLOAT: 1}, OURS)
    assert describe_losses(table_of(won)) == []
    reason = REASONS["training_time", FLOAT]
    assert describe_losses(table_of(won, lost)) == [f"Worse than {FLOAT} (B 0.50): {reason}"]


def test_loss_that_nobody_understood_says_so():
    lost = compare_numbers("A", {OURS: 2, "other": 1}, OURS)
    assert describe_losses(table_of(lost)) == [f"Worse than other (A 0.50): {UNKNOWN}"]


def test_measured_reason_stands_in_place_of_the_written_one():
    lost = compare_numbers("A", {OURS: 4, FLOAT: 1, "other": 2}, OURS)
    lost.because = "half of the time goes into copies"
    assert describe_losses(table_of(lost)) == [
        f"A is worse than {FLOAT} (0.25), other (0.50): half of the time goes into copies."
    ]
