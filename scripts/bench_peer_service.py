"""A plain service to compare `interestrec serve` with: lists by ALS of the library implicit, the rest left out.

    bench_peer_service.py LOG EVENTS WORKERS PORT

LOG is the directory `log` of a decision. The model is fitted at the start. Lists leave out items that the log has of
the user. Reported events are appended to the file EVENTS without waiting for the disk; they change no list.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as implicit asks

import numpy as np
import pyarrow.parquet as pq
import uvicorn
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def application() -> Starlette:
    log = Path(os.environ["PEER_LOG"])
    names = pq.read_table(log / "items.parquet", columns=["item_id"])["item_id"].to_pylist()
    users = pq.read_table(log / "users.parquet", columns=["user_id"])["user_id"].to_pylist()
    known = pq.read_table(log / "timelines.parquet", columns=["user", "item", "intensity"])
    user, item, intensity = (column.to_numpy() for column in known.columns)
    seen = csr_matrix((intensity, (user, item)), shape=(len(users), len(names)), dtype=np.float32)
    model = AlternatingLeastSquares(factors=64, iterations=15, random_state=0, num_threads=1)
    model.fit(seen, show_progress=False)
    row, column = ({name: n for n, name in enumerate(ids)} for ids in (users, names))

    async def recommend(request: Request) -> JSONResponse:
        body = await request.json()
        user, is_new = row[body["user"]] if "user" in body else 0, "history" in body
        given = seen[user]
        if is_new:
            items = [column[event["item"]] for event in body["history"]]
            given = csr_matrix((np.ones(len(items)), ([0] * len(items), items)), shape=(1, len(names)))
        found, scores = model.recommend(user, given.astype(np.float32), N=body["k"], recalculate_user=is_new)
        lists = zip(found.tolist(), scores.tolist(), strict=True)
        return JSONResponse({"items": [{"item_id": names[n], "score": score} for n, score in lists]})

    async def events(request: Request) -> JSONResponse:
        with Path(os.environ["PEER_EVENTS"]).open("a") as kept:
            kept.write(json.dumps(await request.json()) + "\n")
        return JSONResponse({})

    return Starlette(routes=[Route(f"/{post.__name__}", post, methods=["POST"]) for post in (recommend, events)])


if __name__ == "__main__":
    os.environ |= {"PEER_LOG": sys.argv[1], "PEER_EVENTS": sys.argv[2]}
    options = {"workers": int(sys.argv[3]), "port": int(sys.argv[4]), "access_log": False}
    uvicorn.run("bench_peer_service:application", factory=True, **options)
