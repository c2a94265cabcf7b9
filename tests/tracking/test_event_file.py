"""Event files of TensorBoard."""

from pathlib import Path

import pytest
import tensorflow as tf

from interestrec.tracking.event_file import EventFile


def test_a_file_is_what_tensorflow_writes_of_its_messages(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    file = EventFile(ours)
    file.add_scalars(300, {"loss": 0.5, "ndcg@10": 0.25})
    file.add_text("settings", "| key |")
    file.close()
    messages = [record.numpy() for record in tf.data.TFRecordDataset(str(ours))]
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for message in messages:
            writer.write(tf.compat.v1.Event.FromString(message).SerializeToString(deterministic=True))
    assert ours.read_bytes() == theirs.read_bytes()
    version, scalars, text = map(tf.compat.v1.Event.FromString, messages)
    assert version.file_version == "brain.Event:2"
    assert scalars.step == 300
    assert {value.tag: value.simple_value for value in scalars.summary.value} == {"loss": 0.5, "ndcg@10": 0.25}
    assert tf.make_ndarray(text.summary.value[0].tensor).item() == b"| key |"


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_record_that_was_not_finished_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "events"
    file = EventFile(path)
    for step in (1, 300):
        file.add_scalars(step, {"loss": 0.5, "ndcg@10": 0.25})
    file.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again = EventFile(path)
    assert again.steps == {"loss": {1}, "ndcg@10": {1}}
    again.add_scalars(300, {"loss": 0.5})
    again.close()
    assert EventFile(path).steps == {"loss": {1, 300}, "ndcg@10": {1}}
