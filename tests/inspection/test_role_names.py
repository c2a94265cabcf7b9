"""Names of columns in several languages."""

import pytest

from interestrec.inspection.event_words import event_strength
from interestrec.inspection.role_names import WORDS, is_id_name, name_score, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unixReviewTime", ["unix", "review", "time"]),
        ("Customer ID", ["customer", "id"]),
        ("kunden_nr", ["kunden", "nr"]),
        ("data.user.id", ["data", "user", "id"]),
        ("HTTPStatus", ["http", "status"]),
        ("Größe", ["groesse"]),
        ("título", ["titulo"]),
    ],
)
def test_words_of_a_name(name: str, words: list[str]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *(
            (name, "user")
            for name in ("user_id", "CustomerID", "Kundennummer", "id_cliente", "utilisateur", "用户编号", "reviewerID")
        ),
        *((name, "item") for name in ("movieId", "StockCode", "asin", "Artikelnr", "producto_id", "商品编号", "isbn")),
        *((name, "time") for name in ("timestamp", "event_time", "Bestelldatum", "fecha", "created_at", "时间")),
        *((name, "event") for name in ("event_type", "action", "behavior_type", "行为")),
        *((name, "value") for name in ("rating", "Bewertung", "playtime_hours", "nota", "watch_ratio")),
        *((name, "title") for name in ("title", "product_name", "Produktbezeichnung", "titulo", "名称")),
        *((name, "text") for name in ("description", "abstract", "Beschreibung", "synopsis")),
        *((name, "category") for name in ("genres", "category_code", "Warengruppe", "rubrique")),
        *((name, "price") for name in ("price", "UnitPrice", "Einzelpreis", "precio", "价格")),
        *((name, "published") for name in ("published_at", "release_date", "Erscheinungsjahr")),
    ],
)
def test_names_fit_their_role_best(name: str, role: str) -> None:
    scores = {other: name_score(name, other) for other in WORDS if other not in ("quantity", "session", "maker")}
    assert scores[role] >= 0.6
    assert scores[role] == max(scores.values())


@pytest.mark.parametrize("name", ["user_id", "Kundennummer", "sku_code", "商品编号", "movieId"])
def test_names_of_ids(name: str) -> None:
    assert is_id_name(name)


def test_strength_of_events() -> None:
    order = ["view", "add_to_cart", "purchase"]
    assert [event_strength(name) for name in order] == sorted(event_strength(name) or 0 for name in order)
    assert event_strength("remove_from_cart") == -1
    assert event_strength("Kauf") == 1.0
    assert event_strength("xyzzy") is None
