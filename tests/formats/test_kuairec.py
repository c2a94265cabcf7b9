"""KuaiRec's views of short videos."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.formats.events import read_preset
from interestrec.formats.kuairec import KuairecData
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import ITEMS, USERS, rows_of

MATRIX = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio".split(",")
CAPTIONS = (
    "video_id,manual_cover_text,caption,topic_tag,first_level_category_id,first_level_category_name,"
    "second_level_category_id,second_level_category_name,third_level_category_id,third_level_category_name"
).split(",")


def write(path: Path, header: list[str], rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    views = []
    for user, item, time, stars, _ in rows_of(rng):
        clock = datetime.fromtimestamp(time + 8 * 3_600, UTC)
        written = (f"{clock:%Y-%m-%d %H:%M:%S}.438", f"{clock:%Y%m%d}.0", f"{time}.438")
        views.append((user[1:], item[1:], 13838, 10867, *written, stars / 4))
    write(raw / "big_matrix.csv", MATRIX, views)
    captions = [
        (n, "UNKNOWN", f"五爱街 {n}", "[五爱街,童装]", 8, "颜值", 673, "颜值随拍", -124, "UNKNOWN")
        for n in range(ITEMS)
    ]
    write(raw / "kuairec_caption_category.csv", CAPTIONS, captions)
    users = [(n, "full_active", 1, 5 * n) for n in range(USERS)]
    write(raw / "user_features.csv", ["user_id", "user_active_degree", "is_video_author", "fans_user_num"], users)
    return {"format": "kuairec", "attributes": ["user_active_degree"]}


def test_views_have_the_watched_share(tmp_path: Path) -> None:
    view = (0, 3649, 13838, 10867, "2020-07-05 00:08:23.438", 20200705, 1593878903.438, 1.273397)
    write(tmp_path / "small_matrix.csv", MATRIX, [view, (0, 9598, 13665, 10984, "", "", "", 1.244)])
    write(tmp_path / "item_categories.csv", ["video_id", "feat"], [(3649, "[9]"), (9598, "[27, 9]")])
    log = RawLog(tmp_path)
    read_preset(log, KuairecData(format="kuairec", root=tmp_path, interactions=["small_matrix.csv"], captions=None))
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("0", "3649", datetime(2020, 7, 4, 16, 8, 23, 438000), "view", 1.273397),
        ("0", "9598", None, "view", 1.244),
    ]
    assert log.sql("SELECT item_id, title FROM items ORDER BY ord") == [("3649", "9"), ("9598", "27 9")]
