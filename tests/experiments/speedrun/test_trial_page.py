import pytest

from experiments.speedrun import trial_page
from experiments.speedrun.search import describe_result, read_results
from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_list import TRIALS


def make_result(trial, top_1):
    return describe_result(trial, [{"top_1": top_1, "training_top_1": 50.0, "seconds": 90.0}])


@pytest.fixture
def results():
    trials = (
        (Trial("base", batch_size=64), 60.0),
        (Trial("wide", slope="box"), 63.25),
        (Trial("long", epochs=20), 80.0),
        (Trial("long_wide", epochs=20, slope="box"), 79.0),
        (Trial("longest", epochs=60), 81.0),
    )
    return {trial.name: make_result(trial, top_1) for trial, top_1 in trials}


def read_tables(text):
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def test_each_length_has_a_table_the_longest_and_the_best_first(results):
    text = trial_page.describe_tables(results)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## 60 epochs",
        "## 20 epochs",
        "## 5 epochs",
    ]
    assert [row[0] for row in read_tables(text)] == [
        *("trial", "longest"),
        *("trial", "long", "long_wide"),
        *("trial", "wide", "base"),
    ]


def test_trials_are_compared_with_the_base_of_their_length(results):
    longest, _, long, long_wide, header, wide, base = read_tables(
        trial_page.describe_tables(results)
    )[1:]
    assert header[4] == "against base"
    assert wide == ["wide", "slope box", "0", "63.2 %", "+3.2", "50.0 %", "2"]
    assert [row[4] for row in (base, long, long_wide)] == ["", "", "-1.0"]
    # There is none of 60 epochs.
    assert len(longest) == len(wide) - 1


def test_page_keeps_what_stands_around_the_tables(results):
    page = f"before\n{trial_page.BEGIN}old\n{trial_page.END}after\n"
    filled = trial_page.fill_page(page, results)
    assert filled.startswith("before\n")
    assert filled.endswith("after\n")
    assert "old" not in filled
    assert trial_page.fill_page(filled, results) == filled
    with pytest.raises(ValueError, match="`page` must have the lines <!-- trials -->"):
        trial_page.fill_page("no markers", results)


def test_picture_names_the_trials_that_can_be_compared(results, tmp_path):
    trial_page.draw_results(results, tmp_path / "trials.svg")
    text = (tmp_path / "trials.svg").read_text()
    assert "long_wide" in text
    assert "longest" not in text


def test_an_average_counts_for_its_trial_and_the_last_weights_are_kept_beside_it():
    lines = [{"top_1": 40.0, "training_top_1": 50.0, "seconds": 1.0, "averaged_top_1": 45.0}]
    result = describe_result(Trial("averaged"), lines)
    assert (result["top_1"], result["last_top_1"]) == (45.0, 40.0)


def test_page_and_results_belong_together():
    results = read_results()
    for name, result in results.items():
        trial = TRIALS[name]
        assert (result["changes"], result["epochs"]) == (trial.changes(), trial.epochs), name
    page = trial_page.PAGE.read_text("utf-8")
    assert trial_page.fill_page(page, results) == page
