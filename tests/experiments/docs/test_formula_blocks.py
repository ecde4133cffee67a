import markdown

from experiments.docs.formula_blocks import FormulaBlocks


def test_a_formula_below_a_sentence_is_a_paragraph_of_its_own():
    text = "Forward:\n\\[ q(a) = a \\]\nand\n\\[ b\n  + c \\]\n"
    written = markdown.markdown(text, extensions=[FormulaBlocks()])
    assert [part.strip() for part in written.replace("<p>", "").split("</p>")] == [
        "Forward:",
        "[ q(a) = a ]",
        "and",
        "[ b\n  + c ]",
        "",
    ]
