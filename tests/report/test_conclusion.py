"""What a run ends with."""

import re

import pytest

from interestrec.report.conclusion import conclusion, deciding_protocol, deciding_table, verdict_sentences
from tests.evaluation.rows import metric

SYSTEMS = {"random": 0.01, "interestrec": 0.3, "mean_intensity": 0.2, "only:intensity": 0.9}
RANKED = [
    metric(system, value, name, "catalogue")
    for name in ("mrr", "ndcg@10", "hit@10", "recall@20")
    for system, value in SYSTEMS.items()
]
ROWS = [*(metric(system, value, "rmse", "intensity") for system, value in SYSTEMS.items()), *RANKED]
VERDICTS = {
    "intensity": {"rival": "Ours is worse."},
    "catalogue": {"rival": "Ours is better.", "blend": "The blend is better."},
}


def end(width: int | None = None, color: bool = False) -> str:
    return conclusion(ROWS, VERDICTS, ["auc is kept"], ["vectors lie closer"], "space/report.html", width, color)


def test_sentences_come_before_the_table_and_the_path_is_last() -> None:
    assert end().splitlines() == [
        "Over the whole catalogue: Ours is better.",
        "The blend is better.",
        "Predicted intensity against labels: Ours is worse.",
        "auc is kept",
        "Warning: vectors lie closer",
        "",
        "Over the whole catalogue, by ndcg@10 (n = 12)",
        "system          ndcg@10     95 % interval  recall@20  hit@10",
        "interestrec      0.3000  0.2900 to 0.3100     0.3000  0.3000",
        "mean_intensity   0.2000  0.1900 to 0.2100     0.2000  0.2000",
        "random           0.0100  0.0000 to 0.0200     0.0100  0.0100",
        "",
        "report: space/report.html",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("color", [False, True])
def test_the_table_is_whole_and_narrow_from_60_columns_on(width: int, color: bool) -> None:
    text = end(width, color)
    plain = re.sub(r"\x1b\[\d+m", "", text)
    assert (text != plain) == color
    assert plain == end()  # sentences are short here, and the table takes what it needs
    assert max(map(len, plain.splitlines())) <= min(width, 80)


def test_further_metrics_go_and_names_are_cut_before_any_digit() -> None:
    long = [{**row, "system": row["system"].replace("mean_intensity", "m" * 70)} for row in RANKED]
    at_80, at_60 = (deciding_table(long, width).splitlines() for width in (80, 60))
    for lines, width in ((at_80, 80), (at_60, 60)):
        assert max(map(len, lines)) <= width
        assert lines[1].split()[:2] == ["system", "ndcg@10"]
        assert lines[1].endswith("95 % interval")
        assert lines[3].startswith("mmm")
        assert lines[3].endswith("...   0.2000  0.1900 to 0.2100")
    large = [metric("interestrec", 123456.7891, "rmse", "intensity"), metric("x" * 70, 2.5, "rmse", "intensity")]
    assert "123456.7891  123456.7791 to 123456.7991" in deciding_table(large, 60)


def test_the_order_is_that_of_the_metric_lower_or_higher_and_ours_goes_before_its_equals() -> None:
    rows = [metric(system, value, "rmse", "intensity") for system, value in (("mf", 0.2), ("bias", 0.5))]
    rows = [rows[1], rows[0], metric("interestrec", 0.2, "rmse", "intensity"), metric("als", None, "rmse", "intensity")]
    lines = deciding_table(rows, 80).splitlines()
    assert lines[1].split()[:3] == ["system", "rmse", "↓"]
    assert [line.split()[0] for line in lines[2:]] == ["interestrec", "mf", "bias"]


def test_the_protocol_with_real_candidates_decides_where_it_has_a_value() -> None:
    assert deciding_protocol([*ROWS, metric("interestrec", 0.6)]) == "impressions"
    assert deciding_protocol([*ROWS, metric("interestrec", None)]) == "catalogue"
    assert deciding_protocol([metric("interestrec", 0.5, "novelty", "beyond")]) is None
    assert deciding_table([], 80) == ""
    assert verdict_sentences(VERDICTS, "intensity")[0] == "Predicted intensity against labels: Ours is worse."


def test_on_a_terminal_sentences_wrap_between_words() -> None:
    long = "auc is 0.6200 against 0.6000 (difference +0.0200, 95 % interval +0.0100 to +0.0300, 1,200 users)."
    wrapped = conclusion([], {}, [long], [], "r.html", 60).splitlines()
    assert " ".join(wrapped[:2]) == long
    assert max(map(len, wrapped)) <= 60
    assert conclusion([], {}, [long], [], "r.html", None).splitlines()[0] == long


def test_words_from_data_steer_no_terminal() -> None:
    assert "\x1b" not in conclusion([metric("a\x1b[2J", 0.5)], {}, ["b\x1b[2J"], [], "r.html")
