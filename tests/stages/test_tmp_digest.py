import hashlib, os
from pathlib import Path
from interestrec.core.settings import FinetuneSettings
from tests.stages.test_finetune import trained


def test_digest(tmp_path, tiny_encoder):
    new = "losses" in FinetuneSettings.model_fields
    chosen = {"epochs": 2, "history_epochs": 2, "negatives": {"count": 3} if new else 3}
    _, result = trained(tmp_path, tiny_encoder, **chosen)
    from interestrec.core import files

    h = hashlib.sha256()
    for name in ("weights.safetensors", "item_vectors.safetensors", "calibration.json", "outcome.json"):
        h.update((result.artifact.path / name).read_bytes())
    log = __import__("pyarrow.parquet").parquet.read_table(result.artifact.path / "training_log.parquet")
    h.update(repr(log.to_pylist()).encode())
    h2 = hashlib.sha256((result.artifact.path / "weights.safetensors").read_bytes()).hexdigest()
    Path(os.environ["OUT"]).write_text(h.hexdigest() + " " + h2 + "\n")
