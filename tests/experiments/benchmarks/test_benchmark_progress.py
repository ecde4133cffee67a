from experiments.benchmarks.benchmark_progress import Progress


def test_what_fails_is_left_out_with_its_reason(capsys):
    progress = Progress()
    with progress.attempt("first"):
        raise ValueError("two\n lines")
    with progress.attempt("second"):
        pass
    assert progress.left_out == {"first": "failed: ValueError: two lines"}
    assert "first left out: failed: ValueError: two lines" in capsys.readouterr().out
