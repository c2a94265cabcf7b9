"""The registry of target layouts: the value of `convert --as` to the function that writes the files."""

from interestrec.conversion.parquet_tables import write_parquet_tables
from interestrec.conversion.rating_files import write_lenskit
from interestrec.conversion.recbole_files import write_recbole
from interestrec.conversion.target_layout import TargetLayout

TARGET_LAYOUTS: dict[str, TargetLayout] = {
    "recbole": TargetLayout("RecBole's atomic files: .inter, .item, .user", write_recbole, is_text=True),
    "lenskit": TargetLayout(
        "ratings.csv, items.csv, users.csv as LensKit and MovieLens have them", write_lenskit, is_text=True
    ),
    "parquet": TargetLayout("events.parquet, items.parquet, users.parquet", write_parquet_tables, is_text=False),
}
