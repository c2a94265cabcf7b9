"""Names of columns: the words by which people call users, items, times and so on, in several languages."""

from __future__ import annotations

import re
import unicodedata

# Role -> words that name it, in English first.
_ROLE_WORDS: dict[str, str] = {
    "user": """user users usr uid customer client visitor member reviewer reader player account person buyer viewer
        listener subscriber shopper consumer fullvisitor household patron student follower author_id
        kunde kunden kundin benutzer nutzer besucher mitglied kaeufer leser teilnehmer konto
        cliente usuario comprador visitante socio lector
        utilisateur acheteur visiteur membre lecteur abonne client
        utente acquirente visitatore usuario utilizador gebruiker klant bezoeker anvandare kund bruger bruker
        uzytkownik
        kullanici polzovatel пользователь клиент покупатель 用户 会员 顾客 客户 ユーザ ユーザー 会員 사용자 고객""",
    "session": """session sessions sess sessionid visit basket cookie anonymous device
        sitzung besuch warenkorb sesion sesión seance sessione sessao sessie сессия 会话 セッション 세션""",
    "item": """item items iid product prod article articles artist artists movie movies film films book books
        isbn asin
        sku stockcode track tracks song songs video videos post posts recipe game games wine beer business
        biz hotel poi
        venue listing offer goods course job anime show album episode channel question paper content place restaurant
        property object story app ad tmdb imdb pin photo image clip news newsid advert
        produkt artikel ware buch lied spiel beitrag angebot
        producto articulo pelicula libro cancion juego
        produit livre chanson jeu prodotto articolo libro produto artigo livro product boek
        товар фильм книга 商品 物品 视频 电影 产品 アイテム 製品 상품""",
    "time": """time timestamp ts date datetime datestamp day when created createdat occurred unixreviewtime reviewtime
        event_time epoch clicked_at viewed_at ordered_at
        datum zeit zeitpunkt zeitstempel uhrzeit tag bestelldatum kaufdatum
        fecha hora heure horodatage data ora orario momento tijd tijdstip tid dato tarih
        время дата 时间 日期 日時 時刻 날짜 시간""",
    "event": """event events eventtype eventname action actions activity interaction behavior behaviour verb
        ereignis aktion vorgang aktivitaet evento accion evenement azione acao actie
        действие событие 行为 行動 이벤트""",
    "value": """rating ratings stars star score overall grade hours hour playtime playcount plays listens listencount
        weight duration seconds secs dwell dwelltime readtime watchtime watchratio minutes completion progress
        bewertung sterne punkte dauer sekunden spielzeit spielstunden stunden
        puntuacion calificacion valoracion note evaluation duree voto valutazione punteggio durata nota avaliacao
        beoordeling betyg оценка рейтинг 评分 分数 評価 평점""",
    "quantity": """quantity qty amount units pieces count
        menge anzahl stueck stueckzahl cantidad quantite quantita quantidade aantal antal количество 数量 個数 수량""",
    "title": """title titles name headline label caption productname
        titel bezeichnung ueberschrift artikelname produktname benennung
        titulo nombre denominacion titre nom intitule titolo nome naam titulo namn navn
        название имя наименование 标题 名称 书名 商品名 片名 タイトル 名前 商品名 제목 이름""",
    "text": """text description desc body abstract summary overview content plot synopsis details about
        features story subtitle
        lead teaser
        beschreibung inhalt zusammenfassung details langtext kurztext
        descripcion resumen sinopsis contenido resume contenu descrizione riassunto contenuto trama descricao resumo
        omschrijving beschrijving описание текст 描述 内容 简介 摘要 説明 概要 설명""",
    "category": """category categories categoryname genre genres section topic department class subcategory
        taxonomy type typ art tipo
        kategorie rubrik warengruppe genre thema ressort sparte gruppe produktgruppe abteilung
        categoria genero tema seccion rubro categorie rubrique categorie genere reparto
        категория жанр 类别 分类 类目 カテゴリ ジャンル 카테고리""",
    "maker": """brand manufacturer maker vendor seller publisher label studio marke hersteller verlag marca
        fabricante marque
        fabricant editeur editorial editore производитель 品牌 出版社 ブランド 브랜드""",
    "price": """price unitprice listprice saleprice cost
        preis stueckpreis einzelpreis verkaufspreis precio prix tarif prezzo preco prijs pris fiyat
        цена 价格 单价 価格 値段 가격""",
    "published": """published publication publishdate pubdate release released releasedate year
        firstavailable launched
        veroeffentlicht veroeffentlichung erscheinungsdatum erscheinungsjahr erschienen jahr
        publicado publicacion lanzamiento estreno publie publication parution sortie annee pubblicato uscita anno
        publicado lancamento ano jaar опубликовано год 发布 出版 年份 公開日 発売日 출시""",
    "social": """friend friends follower followers followee following trust trusts trustor trustee truster
        freund freunde amigo ami amico""",
    "invoice": """invoice order orderid invoiceno transaction receipt bill basket
        rechnung bestellung bestellnummer auftrag beleg bon factura pedido facture commande fattura ordine fatura""",
    "attribute": """gender sex age agegroup occupation country city region state zip zipcode postcode plan
        segment language
        education income marital
        geschlecht alter land stadt ort plz beruf sprache genero sexo edad pais ciudad idioma sexe pays ville langue
        sesso eta paese citta 性别 年龄 国家 城市 性別 年齢 성별 나이""",
}
_ID_WORDS = frozenset(
    """id ids no nr num number key code uid guid uuid hash nummer numero numer ref index idx ident kennung
    编号 番号 번호""".split()
)
_PLAIN_WORDS = frozenset("of the a de der des du la le per by in is has n raw original fixed next type kind".split())


def _plain(text: str) -> str:
    """Return a text in lower case, with umlauts spelt out and accents removed."""
    for letter, spelt in {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "ae", "Ö": "oe", "Ü": "ue", "ß": "ss"}.items():
        text = text.replace(letter, spelt)
    decomposed = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c))).lower()


WORDS = {role: frozenset(_plain(word) for word in text.split()) for role, text in _ROLE_WORDS.items()}
# Words that names written together may begin or end with: `Kundennummer`, `customerid`, `produktbezeichnung`.
_STEMS = {
    role: sorted((word for word in words if len(word) >= (4 if word.isascii() else 2)), key=len, reverse=True)
    for role, words in WORDS.items()
}


def words_of(name: str) -> list[str]:
    """Split the name of a column into words: `unixReviewTime`, `Customer ID`, `kunden_nr`, `data.user.id`."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [_plain(word) for word in re.split(r"[\W_]+|(?<=[a-z])(?=\d)", parts) if word]


def is_id_name(name: str) -> bool:
    """Whether a name says that the column holds ids, codes or numbers of something."""
    words = words_of(name)
    joined = "".join(words)
    return any(word in _ID_WORDS for word in words) or joined.endswith(
        ("id", "nummer", "code", "key", "编号", "番号", "번호")
    )


def name_score(name: str, role: str) -> float:
    """Return how well a name fits a role, from 0 (not at all) to 1 (it is the role's own word)."""
    words = words_of(name)
    joined = "".join(words)
    meaning = [word for word in words if word not in _ID_WORDS and word not in _PLAIN_WORDS and not word.isdigit()]
    known = WORDS[role]
    if joined in known or "".join(meaning) in known:
        return 1.0
    hits = [word for word in meaning if word in known or word.rstrip("s") in known]
    if hits:
        # `artist name`: the last word that is no id word says what the column is.
        return 0.9 if hits[-1] == meaning[-1] else 0.6
    for stem in _STEMS[role]:
        if joined.startswith(stem) or joined.endswith(stem):
            return 0.7
    return 0.0


def is_known_name(name: str) -> bool:
    """Whether a name is usual for a column, so that a row of such names is a header."""
    return (
        bool(re.search(r"[^\W\d]", name))
        and len(name) <= 40
        and (any(word in _ID_WORDS for word in words_of(name)) or any(name_score(name, role) >= 0.6 for role in WORDS))
    )
