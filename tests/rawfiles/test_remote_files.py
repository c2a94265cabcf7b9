"""Raw files by URL, against a web server of this machine and file systems of fsspec; against S3 where moto is there."""

import functools
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from interestrec.core.errors import AccessError, ConfigError, InputMissingError, StorageError
from interestrec.rawfiles.file_patterns import expand_patterns, file_under
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan
from interestrec.rawfiles.remote_files import is_remote


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/interestrec/remote"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, counts what is sent, and refuses one of them."""

    sent: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.sent.append(self.path)
        if "secret" in self.path:
            self.send_error(403)
        elif "broken" in self.path:
            self.send_error(500)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp")
    Handler.sent = []
    (tmp_path / "served").mkdir()
    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_file_of_a_web_server_is_downloaded_once(tmp_path: Path, server: str, cache: Path) -> None:
    served = tmp_path / "served/day=1/e.csv"
    served.parent.mkdir()
    served.write_text("a,b\n1,2\n")
    [path] = expand_patterns(tmp_path, [f"{server}/day=1/e.csv"])
    assert path.read_text() == "a,b\n1,2\n"
    assert path.is_relative_to(cache)
    assert file_under(tmp_path, f"{server}/day=1/e.csv") == path
    sent = [name for name in Handler.sent if name == "/day=1/e.csv"]
    assert len(sent) == 1
    log = RawLog(tmp_path)
    assert [log.sql("SELECT a, b, day FROM raw") for _ in scan(log, path, [])] == [[("1", "2", "1")]]
    served.write_text("a,b\n3,4\n5,6\n")
    os.utime(served, (2_000_000_000, 2_000_000_000))
    assert expand_patterns(tmp_path, [f"{server}/day=1/e.csv"])[0].read_text() == "a,b\n3,4\n5,6\n"
    assert not list(cache.rglob("*partial*"))


def test_what_a_web_server_does_not_give(tmp_path: Path, server: str) -> None:
    with pytest.raises(InputMissingError, match=r"absent\.csv: no such file, or the server does not answer"):
        expand_patterns(tmp_path, [f"{server}/absent.csv?key=s3cret"])
    for name in ("secret", "broken"):
        with pytest.raises((AccessError, StorageError, InputMissingError)) as error:
            expand_patterns(tmp_path, [f"{server}/{name}.csv?key=s3cret"])
        assert "s3cret" not in str(error.value)
        assert "\n" not in str(error.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://user:s3cret@127.0.0.1:{free.getsockname()[1]}/e.csv"
    with pytest.raises((InputMissingError, StorageError)) as error:
        expand_patterns(tmp_path, [address])
    assert "s3cret" not in str(error.value)


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def test_patterns_and_directories_of_a_store(tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    for name in ("e.csv/part-1.csv", "e.csv/part-0.csv", "e.csv/_SUCCESS", "e.csv/.part-0.csv.crc", "other.csv"):
        memory.pipe(f"/bucket/{name}", name.encode())
    memory.pipe("/bucket/e.csv/part-2.csv", b"")
    for name in ("memory://bucket/e.csv", "memory://bucket/e.csv/", "memory://bucket/*/part-[01].csv"):
        assert [path.read_text() for path in expand_patterns(tmp_path, [name])] == [
            "e.csv/part-0.csv",
            "e.csv/part-1.csv",
        ]
    with pytest.raises(InputMissingError):
        expand_patterns(tmp_path, ["memory://bucket/none-*.csv"])
    with pytest.raises(InputMissingError):
        expand_patterns(tmp_path, ["memory://bucket/none.csv"])


def test_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [is_remote(name) for name in ("s3://b/x", "https://h/x", "C:/x", "day=*/x.csv", "a:b.csv")] == [True] * 2 + [
        False
    ] * 3
    with pytest.raises(ConfigError, match=r"nope://b/x\.csv: unknown protocol; use https, s3 or gs"):
        expand_patterns(tmp_path, ["nope://b/x.csv"])
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"pip install 'interestrec\[remote\]'"):
        expand_patterns(tmp_path, ["s3://b/x.csv"])


def test_an_s3_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    try:
        address = "http://{}:{}".format(*running.get_host_and_port())
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = s3fs.S3FileSystem()
        store.mkdir("bucket")
        store.pipe("bucket/day=1/e.csv", b"a\n1\n")
        [path] = expand_patterns(tmp_path, ["s3://bucket/day=1/*.csv"])
        assert path.read_bytes() == b"a\n1\n"
        with pytest.raises(InputMissingError):
            expand_patterns(tmp_path, ["s3://bucket/absent.csv"])
    finally:
        running.stop()
