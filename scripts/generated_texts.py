"""Texts of generated logs: words of a topic mixed with words of no topic."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TOPICS = {
    "sports": "game team season coach playoff striker league stadium score champion",
    "food": "recipe chicken soup bakery dinner kitchen chef flavor dessert restaurant",
    "finance": "market stock bank investor shares inflation profit currency bond earnings",
    "weather": "storm snow rain forecast hurricane temperature flood wind drought thunder",
    "health": "doctor heart diet hospital vaccine sleep patient virus therapy nutrition",
    "travel": "beach hotel island flight passport resort cruise luggage tourist airport",
    "autos": "engine car truck driver electric sedan highway wheel garage dealer",
    "music": "album band concert singer guitar chorus festival melody drummer lyrics",
    "movies": "film actor director sequel cinema trailer premiere script comedy studio",
    "politics": "senate vote president court election policy campaign governor treaty congress",
    "science": "space moon telescope physics laboratory genome fossil planet particle experiment",
    "technology": "phone chip software robot screen startup browser password network laptop",
}
FILLER = """the a of in on and to for with after before over how why what new old big first last day night year week
    people city home world says shows makes finds gets takes looks back again more most best worst next"""
SPANISH = {
    "sports": "partido equipo entrenador gol liga",
    "food": "receta pollo sopa cocina postre",
    "music": "canción banda concierto guitarra disco",
    "travel": "playa hotel vuelo isla viaje",
}
SPANISH_FILLER = "el la de en y con para una nuevo viejo gran día noche ciudad"


def join(values: pa.Array, lengths: np.ndarray) -> pa.Array:
    """Join consecutive runs of strings by spaces."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), values), " ")


def texts(rng: np.random.Generator, topic: np.ndarray, words: int, topics: dict[str, str], filler: str) -> pa.Array:
    """Generate texts of about `words` words, a third of them from the topic, which is a position in `topics`."""
    groups = [text.split() for text in topics.values()]
    group_size, topic_words = len(groups[0]), [word for group in groups for word in group]
    vocabulary = pa.array(topic_words + filler.split())
    lengths = rng.integers(words - words // 3, words + words // 3 + 1, len(topic))
    on_topic = np.repeat(topic, lengths) * group_size + rng.integers(0, group_size, lengths.sum())
    other = rng.integers(len(topic_words), len(vocabulary), lengths.sum())
    return join(vocabulary.take(pa.array(np.where(rng.random(lengths.sum()) < 1 / 3, on_topic, other))), lengths)
