"""The site builds strictly and without the network, and links between the pages of the repository resolve."""

import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.test_architecture import FLOORS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
PAGES += sorted(DOCS.rglob("*.md"))
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
LOADED = re.compile(r"<(?:script|link|img)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")
MOST_LINES, MOST_IMAGE_BYTES = 150, 200 << 10


def links(text: str) -> list[str]:
    """Targets of the links and images of a page, except those on other servers."""
    targets = LINK.findall(INLINE_CODE.sub("", FENCED.sub("", text)))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Anchors of the headings that have the same name on GitHub and on the site."""
    titles = [title.replace("`", "") for title in HEADING.findall(FENCED.sub("", text))]
    on_github = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    plain = [unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode() for title in titles]
    on_site = {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in plain}
    return on_github & on_site


def resolves(page: Path, text: str, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or anchor in anchors(text if target == page else target.read_text())


def broken_links(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere, or from the site to a file that is not part of it."""
    on_site = DOCS in page.parents
    return [
        link
        for link in links(text)
        if not resolves(page, text, link)
        or (on_site and not (page.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_anchors_resolve(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


@pytest.mark.parametrize(
    "link",
    ["[a](docs/missing.md)", "[a](docs/glossary.md#missing)", "[a](#missing)", "![a](docs/images/missing.png)"],
)
def test_broken_links_are_detected(link: str) -> None:
    assert broken_links(ROOT / "README.md", f"# Title\n\n{link}\n") == [LINK.findall(link)[0]]


def test_a_link_out_of_the_site_is_detected() -> None:
    assert broken_links(DOCS / "index.md", "[a](../README.md)") == ["../README.md"]


def test_the_site_builds_strictly_and_loads_nothing_from_other_servers(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert {page.stem for page in built} >= {page.stem for page in DOCS.glob("*.md")}
    for page in built:
        assert LOADED.findall(page.read_text()) == []


def test_the_readme_is_one_page_with_a_small_picture_of_the_report() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= MOST_LINES
    pictures = [ROOT / link for link in links(text) if link.endswith(".png")]
    assert pictures
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < MOST_IMAGE_BYTES


def test_glossary_terms_are_unique_and_sorted() -> None:
    terms = re.findall(r"^\| \*\*([^*]+)\*\*", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(terms) >= 30
    assert terms == sorted(set(terms))


def test_the_diagram_shows_the_floors_from_the_top() -> None:
    diagram = FENCED.findall((DOCS / "architecture.md").read_text())[0]
    rows = [set(re.findall(r"│ (\w+)(?:/|\.py) ", row)) for row in diagram.splitlines()]
    assert [row for row in rows if row] == [floor for floor in FLOORS[::-1] if floor != {"__main__"}]
