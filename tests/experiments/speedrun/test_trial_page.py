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
    )
    return {trial.name: make_result(trial, top_1) for trial, top_1 in trials}


def test_table_has_a_line_for_each_trial_the_best_first(results):
    lines = trial_page.describe_table(results).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [row[0] for row in cells] == ["long", "wide", "base"]
    assert cells[1] == ["wide", "slope box", "5", "0", "63.2 %", "+3.2", "50.0 %", "2"]
    # Trials of another length are compared with nothing.
    assert [row[5] for row in cells] == ["", "+3.2", ""]


def test_page_keeps_what_stands_around_the_table(results):
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
    assert "wide" in text
    assert "long" not in text


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
