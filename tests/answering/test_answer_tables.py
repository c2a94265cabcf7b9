"""Answers as tables, CSV, JSON lines and Parquet."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from interestrec.answering.answer_tables import TABLE_FORMATS, Answer, answer_documents, answer_table, json_line
from interestrec.answering.recommender import Recommendations
from interestrec.corpus.store import Corpus


@pytest.fixture
def log(tmp_path: Path) -> Corpus:
    corpus = Corpus(tmp_path, None)
    corpus.__dict__["items"] = pa.table({"item_id": ["a", "b"], "title": ['A "pan", big', "B"]})
    return corpus


ROWS = Recommendations(
    request=np.array([0, 0, 2]),
    item=np.array([0, 1, 1]),
    rank=np.array([1, 2, 0], np.int32),
    score=np.array([1.23456789, -0.5, 0.25]),
    intensity=np.array([0.5, np.nan, 1.0], np.float32),
    components={},
)
ANSWER = Answer(["ann", "bob", "cy"], ROWS, ["because", None, "known"])


def test_a_row_per_item_with_nulls_where_nothing_is_known(log: Corpus) -> None:
    assert answer_table(log, ANSWER, titles=True).to_pylist()[1:] == [
        {"user_id": "ann", "rank": 2, "item_id": "b", "title": "B", "score": -0.5, "intensity": None, "why": None},
        {
            "user_id": "cy",
            "rank": None,
            "item_id": "b",
            "title": "B",
            "score": 0.25,
            "intensity": 1.0,
            "why": "known",
        },
    ]
    like = Answer(["a"], ROWS.rows(np.array([0])), key="like_item_id")
    assert answer_table(log, like, titles=False).column_names == [
        "like_item_id",
        "rank",
        "item_id",
        "score",
        "intensity",
    ]


def test_a_document_per_request_also_for_those_without_items(log: Corpus) -> None:
    documents = [json.loads(json_line(document)) for document in answer_documents(log, ANSWER, titles=False)]
    assert [document["user_id"] for document in documents] == ["ann", "bob", "cy"]
    assert documents[1]["items"] == []
    assert documents[0]["items"][0] == {
        "rank": 1,
        "item_id": "a",
        "score": 1.234568,
        "intensity": 0.5,
        "why": "because",
    }


@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_written_tables_are_read_by_other_libraries(log: Corpus, form: str) -> None:
    table, to = answer_table(log, ANSWER, titles=True), io.BytesIO()
    TABLE_FORMATS[form](table, to)
    content = io.BytesIO(to.getvalue())  # the stream is still open
    read = pq.read_table(content) if form == "parquet" else pa_csv.read_csv(content)
    assert read["title"].to_pylist() == ['A "pan", big', "B", "B"]
    assert read["rank"].to_pylist() == [1, 2, None]
    np.testing.assert_allclose(read["score"].to_numpy(), ROWS.score, atol=1e-6)
