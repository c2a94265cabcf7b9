"""Names of event types: how much interest an event of such a name usually shows."""

from __future__ import annotations

from interestrec.inspection.role_names import words_of

# Usual weight -> words in names of event types; a negative weight says no.
_STRENGTHS = {
    0.1: "impression impress show shown display seen expose",
    0.2: """view views viewed click clicks clicked pv pageview detail visit open read play start browse watch listen
        ansicht aufruf klick vista vue visualizacao bekeken 点击 浏览""",
    0.4: "search scroll dwell finish complete completed",
    0.5: """fav favorite favourite favorit like liked love save saved bookmark wishlist wish merken gefaellt collect
        follow subscribe 收藏""",
    0.6: "cart addtocart basket add warenkorb carrito panier carrello winkelwagen reserve 加购",
    0.8: "share shared comment commented review reply repost checkout forward",
    1.0: """purchase purchased buy bought order ordered transaction transactions sale sold pay paid checkoutcompleted
        kauf gekauft bestellung compra achat acquisto koop rating rate rated install download book booked 购买""",
    -1.0: """dislike disliked skip skipped hide hidden block remove removed removefromcart unfollow unlike return
        returned refund cancel cancelled canceled report downvote storno retoure""",
}
_WORD_STRENGTHS = {word: weight for weight, words in _STRENGTHS.items() for word in words.split()}


def event_strength(name: str) -> float | None:
    """Return the usual weight of an event type by its name, below 0 where it says no; None if the name is unknown."""
    words = words_of(name)
    joined = "".join(words)
    found = [_WORD_STRENGTHS[word] for word in words if word in _WORD_STRENGTHS]
    if any(weight < 0 for weight in found):
        return -1.0
    return _WORD_STRENGTHS.get(joined, max(found, default=None))
