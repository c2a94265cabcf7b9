"""What trackers have written, read back by other code: TensorBoard's, MLflow's, and the log format of wandb's files."""

import json
import struct
import time
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

Figures = dict[tuple[str, int], list[float]]  # name and step -> every value that is there; step 0 also of the whole run
_BLOCK = 32768  # bytes; no header of a record is cut by their end


def read_tensorboard(directory: Path) -> dict[str, Figures]:
    """Figures by name of the run."""
    found = {}
    for run in sorted(path for path in (directory / "tensorboard").iterdir() if path.is_dir()):
        events = EventAccumulator(str(run), {"tensors": 0}, purge_orphaned_data=False)
        events.Reload()
        figures: Figures = found.setdefault(run.name, {})
        for name in events.Tags()["tensors"]:
            for event in events.Tensors(name):
                value = tf.make_ndarray(event.tensor_proto)
                if name != "settings":
                    figures.setdefault((name, event.step), []).append(float(value))
    return found


def read_mlflow(directory: Path) -> dict[str, Figures]:
    """Figures by name of the run."""
    from mlflow.tracking import MlflowClient

    from interestrec.tracking.mlflow_tracker import written_name

    client = MlflowClient(tracking_uri=f"sqlite:///{directory / 'mlflow' / 'mlflow.db'}")
    found = {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            figures: Figures = found.setdefault(run.info.run_name, {})
            for metric in run.data.metrics:
                for entry in client.get_metric_history(run.info.run_id, metric):
                    figures.setdefault((written_name(metric), entry.step), []).append(entry.value)
    return found


def read_wandb(directory: Path) -> dict[str, Figures]:
    """Figures by name of the run."""
    found: dict[str, Figures] = {}
    for path in sorted((directory / "wandb").glob("offline-run-*/run-*.wandb")):
        figures, summary = dict[tuple[str, int], list[float]](), dict[str, float]()
        for record in _finished(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                assert record.run.display_name not in found, "a run is in one directory"
                figures = found.setdefault(record.run.display_name, {})
            elif kind == "history":
                row = _row(record.history.item)
                (step,) = [int(value) for name, value in row.items() if _is_step(name)]
                for name, value in row.items():
                    if not _is_step(name):
                        figures.setdefault((name, step), []).append(value)
            elif kind == "summary":
                summary |= _row(record.summary.update)
        # The summary also has the last value of what has steps.
        whole = summary.keys() - {name for name, _ in figures} - {name for name in summary if _is_step(name)}
        figures.update({(name, 0): [summary[name]] for name in whole})
    return found


def _finished(path: Path) -> list[Any]:
    """Records of a file that ends with that of the run's exit: a process of wandb writes it a little later."""
    from wandb.proto.wandb_internal_pb2 import Record

    for _ in range(200):
        records = [Record.FromString(content) for content in log_records(path.read_bytes())]
        if records and records[-1].WhichOneof("record_type") == "exit":
            return records
        time.sleep(0.05)
    raise AssertionError(f"{path} has no end")


def _row(entries: Any) -> dict[str, float]:
    row = {(entry.key or ".".join(entry.nested_key)): json.loads(entry.value_json) for entry in entries}
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _is_step(name: str) -> bool:
    return name.rpartition("/")[2] == "step"


def log_records(data: bytes) -> list[bytes]:
    """Records of a file in the log format of LevelDB, whose header has 7 bytes."""
    position, records, parts = 7, [], b""
    while position + 7 <= len(data):
        if _BLOCK - position % _BLOCK < 7:
            position += _BLOCK - position % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            records.append(parts)
            parts = b""
    return records


READ = {"tensorboard": read_tensorboard, "mlflow": read_mlflow, "wandb": read_wandb}
