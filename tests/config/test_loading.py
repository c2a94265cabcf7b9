"""Configuration: values, overrides, and every problem with its place in one pass."""

from pathlib import Path

import pytest
import yaml

from interestrec.config.loading import (
    dump_effective,
    find_config,
    load_effective,
    load_settings,
    setting_origins,
    settings_hash,
    settings_schema,
)
from interestrec.config.yaml_positions import MAX_BYTES, dump_yaml
from interestrec.core.errors import ConfigError, InputMissingError, StorageError
from interestrec.corpus.own_fields import NumberField, OwnField
from interestrec.formats.mind import MindData

TEMPLATES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
GOOD = """
data:
  format: mind
  news: [news.tsv]
  train: [train.tsv]
encoders:
  text: {source: encoders/minilm}
finetune:
  learning_rate: 2e-5
"""

ENCODERS = "encoders:\n  text: {source: encoders/minilm}\n"
MOVIELENS = ENCODERS + "data:\n  format: movielens\n"
EVENTS = (
    ENCODERS
    + """data:
  format: events
  events: {files: [e.csv], columns: {item: i, user: u}}
  items: {files: [i.csv], columns: {item: i, title: [t]}}
"""
)
USERS = "  users: {{attributes: {}}}\n"
RECBOLE = ENCODERS + "data:\n  format: recbole\n  inter: a.inter\n  item: a.item\n  title: [name]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "news.yaml"
    path.write_text(GOOD)
    return path


def problems(path: Path, text: str, *overrides: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, overrides)
    assert caught.value.exit_status == 78
    return str(caught.value)


def test_values_defaults_and_scientific_notation(config: Path) -> None:
    settings = load_settings(config)
    assert isinstance(settings.data, MindData)
    assert settings.finetune.learning_rate == 2e-5
    assert settings.seed == 42


def test_overrides_win_and_are_yaml(config: Path, tmp_path: Path) -> None:
    settings = load_settings(config, ["finetune.epochs=3", "finetune.hidden=[8, 4]", "data.train.0=b.tsv"], tmp_path)
    assert settings.finetune.epochs == 3
    assert settings.finetune.hidden == [8, 4]
    assert isinstance(settings.data, MindData)
    assert settings.data.train == ["b.tsv"]
    assert settings.workspace == tmp_path


def test_all_problems_in_one_pass_with_their_places(config: Path) -> None:
    text = GOOD + "  epoch: 3\n  dropout: 2\nsede: 1\n"
    message = problems(config, text, "rank.als.factorz=3")
    lines = message.splitlines()
    assert len(lines) == 4
    assert any("news.yaml:10:3: unknown key 'finetune.epoch' (did you mean 'epochs'?)" in line for line in lines)
    assert any("news.yaml:11:3: finetune.dropout" in line for line in lines)
    assert any("news.yaml:12:1: unknown key 'sede' (did you mean 'seed'?)" in line for line in lines)
    assert any(line.startswith("--set rank.als.factorz=3: unknown key") for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("- a\n", "1:1: expected a mapping"),
        ("data: [\n", "not valid YAML"),
        ("seed: 1\nseed: 2\n", "2:1: the key 'seed' is given twice"),
        (
            GOOD.replace("mind", "mnd"),
            "'data.format' must be one of mind, impressions, events,",
        ),
        (GOOD.replace("format: mind", "fomat: mind"), "3:3: unknown key 'data.fomat' (did you mean 'format'?)"),
        (GOOD.replace("format: mind", "root: ."), "2:1: 'data.format' must be one of mind, impressions, events,"),
        ("data: {format: events, itms: {}}\n", "1:24: unknown key 'data.itms' (did you mean 'items'?)"),
        (GOOD.replace("  news: [news.tsv]\n", ""), "'data.news' is missing"),
        (GOOD + "items: {fields: [{name: title, encoder: txt}]}\n", "no encoder 'txt'"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: linear, low: 0, high: 5}}}}\n", "data.relevant_at"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: linear, low: 0}}}}\n", "linear needs low and high"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: log, low: 0}}}}\n", "low belongs to linear"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: log, high: 0}}}}\n", "high must be above 0"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: quantile, high: 9}}}}\n", "not to quantile"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: threshold}}}}\n", "needs at least one"),
        (GOOD + "preprocess: {intensity: {values: {rate: {map: log, thresholds: [1]}}}}\n", "belong to map: threshold"),
        (GOOD + "preprocess: {intensity: {values: {r: {map: threshold, thresholds: [2, 1]}}}}\n", "must rise"),
        (GOOD + "preprocess: {intensity: {weights: {hate: 1}, negative: {hate: zero}}}\n", "hate is listed under neg"),
        (GOOD + "preprocess: {robots: {}}\n", "give a_minute, spread or both"),
        (GOOD + "preprocess: {split: {valid: 0.5, test: 0.5}}\n", "valid + test must be less than 1"),
        (MOVIELENS + USERS.format("[gender, User_ID]"), "'User_ID' is the name of a column that every corpus has"),
        (MOVIELENS + USERS.format("[age, Age]"), "data.users.attributes: 'age' is given twice"),
        (MOVIELENS + USERS.format("[]"), "data.users.attributes: list should have at least 1"),
        (RECBOLE + "  user: a.user\n", "user (the file) and attributes (its fields) belong together"),
        (RECBOLE + "  attributes: [age]\n", "user (the file) and attributes (its fields) belong together"),
        (GOOD + "preprocess: {split: {method: none}}\n", "set verified to the workspace of a run that did"),
        (GOOD + "preprocess: {split: {verified: w}}\n", "verified belongs to method: none, not to global_time"),
        (GOOD + "rank: {systems: [random, random]}\n", "none twice"),
        (GOOD + "rank: {search: approximate}\n", "set retrieve, such as 500, or exact"),
        (
            GOOD + "  user_tower: text\nrank: {search: approximate, retrieve: 9}\n",
            "finetune.user_tower text; use exact",
        ),
        (GOOD + "  losses: {softmx: 1}\n", "10:12: unknown key 'finetune.losses.softmx' (did you mean 'softmax'?)"),
        (GOOD + "  losses: {rank: 1}\n", "finetune.losses takes: gbce, huber, intensity, listnet, pairwise, softmax"),
        (GOOD + "  losses: {softmax: -1}\n", "finetune.losses.softmax: input should be greater than or equal to 0"),
        (GOOD + "  losses: {softmax: 0}\n", "finetune.losses: at least one weight must be above 0"),
        (GOOD + "  losses: {}\n", "finetune.losses: at least one weight must be above 0"),
        (GOOD + "  negatives: {source: batch}\n", "'popularity', 'uniform', 'in_batch' or 'hard'"),
        (
            GOOD + "  negatives: {source: uniform, exponent: 0.5}\n",
            "exponent belongs to source: auto or mixed or popularity or hard",
        ),
        (GOOD + "  negatives: {source: uniform, pool: 50}\n", "pool belongs to source: hard, not to uniform"),
        (GOOD + "  user_tokens: 64\n", "user_tokens belongs to user_tower: text"),
        (GOOD + "  user_tower: text\n  user_tokens: 2\n", "user_tokens"),
        (GOOD + "  negatives: {count: 0}\n", "finetune.negatives.count"),
        (
            GOOD + "  trainable_layers: 1\nruntime: {encoder: onnx-int8}\n",
            "with frozen weights, but finetune.trainable_layers is 1; set runtime.encoder to float32",
        ),
        (GOOD + "  user_tower: text\nruntime: {encoder: onnx-int8}\n", "but finetune.user_tower is text"),
        (GOOD + "  lora: {rank: 4}\n", "lora needs layers to learn in; set trainable_layers"),
        (GOOD + "  vector_cache: {probability: 0.5}\n", "vector_cache needs layers that learn"),
        (GOOD + "  vector_cache: {max_tokens: 500}\n", "vector_cache needs layers that learn"),
        (GOOD + "  trainable_layers: 1\n  lora: {targets: [qkv, qkv]}\n", "targets must name at least one, none twice"),
        (GOOD + "  trainable_layers: 1\n  lora: {targets: []}\n", "targets must name at least one, none twice"),
        (GOOD + "  trainable_layers: 1\n  lora: {targets: [key]}\n", "'qkv', 'output', 'up' or 'down'"),
        (GOOD + "  schedule: step\n", "'linear', 'cosine' or 'constant'"),
        (GOOD + "  warm_up: 1\n", "finetune.warm_up"),
        (GOOD + "runtime: {distribution: parameter_server}\n", "'auto', 'single', 'mirrored' or 'multi_worker'"),
        (GOOD + "runtime: {precision: int8}\n", "'float32', 'bfloat16' or 'float16'"),
        (GOOD + "data2: !!python/object/apply:os.system [ls]\n", "10:8: the tag 'tag:yaml.org,2002:python/object"),
        (GOOD + "runtime: {devise: gpu}\n", "10:11: unknown key 'runtime.devise' (did you mean 'device'?)"),
        (GOOD + "runtime: {device: gpus}\n", "input should be 'auto', 'cpu' or 'gpu' (did you mean 'gpu'?)"),
        (GOOD + "rank: {refit: ture}\n", "10:8: rank.refit: input should be a valid boolean"),
        (GOOD + "rank: {refit: ture}\n", "(did you mean 'true'?)"),
        (GOOD + "rank: {blend: {weights: {intensty: 1}}}\n", "10:26: rank.blend.weights.intensty: input should be"),
        (GOOD + "evaluate: {metrics: [auc, ndgc@5]}\n", "10:27: evaluate.metrics.1: unknown metric 'ndgc@5'"),
        (GOOD + "evaluate: {metrics: [auc, ndgc@5]}\n", "(did you mean 'ndcg@5'?)"),
        (GOOD + "evaluate: {metrics: [ndcg]}\n", "k a number as in ndcg@10"),
        (GOOD + "  clip: .inf\n", "10:3: finetune.clip: input should be a finite number"),
        (ENCODERS, "news.yaml:1:1: 'data' is missing; add it"),
        (
            GOOD + "preprocess: {epochs: 3}\n",
            "10:14: unknown key 'preprocess.epochs'; 'epochs' belongs to finetune.epochs ",
        ),
        (
            GOOD + "preprocess: {epochs: 3}\n",
            "finetune.epochs (`interestrec finetune`) or rank.sequence.epochs (`interestrec rank`); preprocess takes:",
        ),
        (GOOD + "refit: false\n", "unknown key 'refit'; 'refit' belongs to rank.refit (`interestrec rank`);"),
        (
            EVENTS.replace("item:", "itm:"),
            "news.yaml:5:38: unknown key 'data.events.columns.itm' (did you mean 'item'?)",
        ),
    ],
)
def test_bad_configurations(config: Path, text: str, expected: str) -> None:
    assert expected in problems(config, text)


def fields(*dump_yaml: str) -> str:
    return GOOD + f"items: {{fields: [{', '.join(dump_yaml)}]}}\n"


def test_fields_of_every_kind(config: Path) -> None:
    config.write_text(
        fields(
            "{name: title}",
            "{name: category, kind: category}",
            "{name: price, kind: number, buckets: 4}",
            "{name: text, kind: text, max_tokens: 64}",
            "{name: age, kind: number}",
        )
    )
    items = load_settings(config).items
    assert [(field.name, field.max_tokens) for field in items.texts] == [("title", 32), ("text", 64)]
    assert [field.name for field in items.attributes] == ["category", "price", "age", "id"]
    assert [field.buckets for field in items.attributes if isinstance(field, NumberField)] == [4, 10]


def test_ids_are_fields_without_being_listed_and_0_leaves_them_out(config: Path) -> None:
    settings = load_settings(config)
    assert [(field.name, field.kind) for field in settings.items.fields] == [("title", "text"), ("id", "id")]
    assert [(field.name, field.kind) for field in settings.users.fields] == [("id", "id")]
    assert [field.events for field in settings.items.attributes] == [2]
    assert [field.events for field in settings.users.features] == [5]
    listed = GOOD + (
        "items:\n  fields: [{name: id, kind: id, events: 3}, {name: title}]\n"
        "users:\n  fields: [{name: id, kind: id, events: 0}]\n"
    )
    config.write_text(listed)
    settings = load_settings(config)
    assert [field.name for field in settings.items.fields] == ["id", "title"]  # as listed, none added
    assert [field.events for field in settings.items.attributes] == [3]
    assert [field.name for field in settings.users.fields] == ["id"]
    assert settings.users.features == []
    written = yaml.safe_load(dump_effective(load_effective(config)))
    assert written["users"]["fields"] == [{"name": "id", "kind": "id", "events": 0}]
    # What is written is read as the same settings, and an id that is left out stays so.
    config.write_text(dump_yaml(written))
    assert load_settings(config) == settings
    config.write_text(GOOD + "items:\n  fields: [{name: title}, {name: id, kind: id, events: 0}]\n")
    assert load_settings(config).items.attributes == []
    assert "greater than or equal to 0" in problems(config, listed.replace("events: 0", "events: -1"))


def test_losses_that_are_not_named_are_left_out(config: Path) -> None:
    assert {name: weight for name, weight in load_settings(config).finetune.losses if weight} == {
        "intensity": 1.0,
        "softmax": 1.0,
    }
    only = load_settings(config, ["finetune.losses={listnet: 0.5}"]).finetune.losses
    assert {name: weight for name, weight in only if weight} == {"listnet": 0.5}


TITLE = "{name: title}"


@pytest.mark.parametrize(
    ("dump_yaml", "expected"),
    [
        ([TITLE, "{name: price}"], "10:33: items.fields.1: the field 'price' is not of kind text; write kind: number"),
        ([TITLE, "{name: price, kindd: number}"], "10:47: unknown key 'items.fields.1.kindd' (did you mean 'kind'?)"),
        ([TITLE, "{name: price, kind: category}"], "'price' is not of kind category; write kind: number"),
        (
            [TITLE, "{name: colour, kind: category}"],
            "no column 'colour' is kept with the items; the format mind",
        ),
        (
            [TITLE, "{name: catgory, kind: category}"],
            "items.fields.1.name: no column 'catgory' is kept ",
        ),
        ([TITLE, "{name: plot}"], "unknown field 'plot'; the encoder reads title and text alone; name a column"),
        ([TITLE, "{name: sku, kind: id}"], "unknown field 'sku'; choose from title, text, category"),
        (
            [TITLE, "{name: price, kind: number, column: cost}"],
            "'price' reads no column; give the field of 'cost'",
        ),
        ([TITLE, "{name: wine body, kind: tags}"], "'wine body' is not made of letters, digits and _ alone; name the"),
        ([TITLE, "{name: price, kind: sound}"], "unknown kind 'sound'; choose from text, image, category"),
        ([TITLE, "{name: [price], kind: number}"], "unknown field '['price']'"),
        (["{name: category, kind: category}"], "items: no encoder reads a field; add title or text"),
        ([TITLE, TITLE], "items: the field 'title' is listed twice; keep one"),
        ([TITLE, "{name: price, kind: number, buckets: 1}"], "items.fields.1.buckets: input should be greater than"),
        ([TITLE, "{kind: number}"], "'items.fields.1.name' is missing"),
        (
            [TITLE, "{name: category, kind: category, encoder: text}"],
            "10:66: unknown key 'items.fields.1.encoder'; 'encoder' belongs to runtime.encoder; items.fields.1 takes: "
            "column, kind, name",
        ),
        (
            [TITLE, "{name: price, kind: number, bucket: 4}"],
            "unknown key 'items.fields.1.bucket' (did you mean 'buckets'?); items.fields.1 takes: buckets, column",
        ),
        (["{name: title, max_token: 4}"], "'items.fields.0.max_token' (did you mean 'max_tokens'?)"),
        (["title"], "items.fields.0: input should be"),
    ],
)
def test_bad_fields(config: Path, dump_yaml: list[str], expected: str) -> None:
    message = problems(config, fields(*dump_yaml))
    assert expected in message
    assert message.count("news.yaml:10:") == 1


OWN = EVENTS.replace("title: [t]}}", "title: [t]}, attributes: [Body, ABV]}") + (
    "  users: {files: [u.csv], columns: {user: u}, attributes: [age, 7]}\n"
)


def test_fields_of_columns_that_are_kept(config: Path) -> None:
    items = "items: {fields: [{name: title}, {name: body, kind: category, column: Body}, {name: ABV, kind: number}]}\n"
    users = "users: {fields: [{name: age, kind: number}, {name: seven, kind: tags, column: 7}, {name: id, kind: id}]}\n"
    config.write_text(OWN + items + users)
    settings = load_settings(config)
    assert [field.source for field in settings.items.attributes if isinstance(field, OwnField)] == ["Body", "ABV"]
    assert [field.source for field in settings.users.fields if isinstance(field, OwnField)] == ["age", "7"]


@pytest.mark.parametrize(
    ("table", "field", "expected"),
    [
        (
            "items",
            "{name: Bdy, kind: tags}",
            "items.fields.0.name: no column 'Bdy' is kept with the items (did you mean",
        ),
        (
            "items",
            "{name: b, kind: tags, column: Bod}",
            "items.fields.0.column: no column 'Bod' is kept with the items (",
        ),
        ("items", "{name: x, kind: vector}", "no column 'x' is kept with the items; list it in data.items.attributes"),
        (
            "users",
            "{name: Age, kind: number}",
            "users.fields.0.name: no column 'Age' is kept with the users (did you mea",
        ),
        ("users", "{name: x, kind: number}", "no column 'x' is kept with the users; list it in data.users.attributes"),
        ("users", "{name: age}", "users.fields.0: 'kind' is missing; choose from category, number, tags, id"),
        ("users", "{name: age, kinds: tags}", "unknown key 'users.fields.0.kinds' (did you mean 'kind'?)"),
        ("users", "{name: age, kind: vector}", "unknown kind 'vector'; choose from category, number, tags, id"),
        ("users", "{name: id, kind: tags}", "the field 'id' is of kind id; give the field of a column another name"),
        ("users", "{name: age, kind: number}, {name: age, kind: tags}", "the field 'age' is listed twice; keep one"),
        ("users", "{name: age, kind: number, event: 3}", "users.fields.0 takes: buckets, column, kind, name"),
    ],
)
def test_bad_fields_of_columns(config: Path, table: str, field: str, expected: str) -> None:
    fields = f"{field}, {{name: title}}" if table == "items" else field
    assert expected in problems(config, f"{OWN}{table}: {{fields: [{fields}]}}\n")


def test_formats_tell_where_their_columns_are_listed(config: Path) -> None:
    users, items = (
        "users: {fields: [{name: x, kind: tags}]}\n",
        "items: {fields: [{name: title}, {name: x, kind: tags}]}\n",
    )
    assert "list it in data.attributes" in problems(config, RECBOLE + users)
    assert "list it in data.item_attributes" in problems(config, RECBOLE + items)
    assert "list it in data.users.attributes" in problems(config, MOVIELENS + users)
    assert "the format movielens keeps none of items" in problems(config, MOVIELENS + items)
    lastfm = ENCODERS + "data: {format: lastfm}\n"
    assert "list it in data.attributes" in problems(config, lastfm + users)
    assert "the format lastfm keeps none of items" in problems(config, lastfm + items)


def test_adapters_and_remembered_vectors_where_layers_learn(config: Path) -> None:
    overrides = ["finetune.trainable_layers=1", "finetune.lora={}", "finetune.vector_cache.probability=0.5"]
    chosen = load_settings(config, overrides).finetune
    assert chosen.lora is not None
    assert (chosen.lora.rank, chosen.lora.alpha, chosen.lora.targets) == (8, 16.0, ["qkv"])
    assert (chosen.vector_cache.probability, chosen.vector_cache.max_age) == (0.5, 50)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("finetune.epochs", "expected KEY=VALUE such as finetune.epochs=3"),
        ("=3", "expected KEY=VALUE"),
        ("finetune..epochs=3", "expected KEY=VALUE"),
        ("seed.x=3", ""),
        ("data.train.1=b", ""),
        ("finetune.epochs=[", "not valid YAML"),
    ],
)
def test_bad_overrides(config: Path, override: str, told: str) -> None:
    said = problems(config, GOOD, override)
    assert said.startswith(f"--set {override}")
    assert told in said


def test_as_many_sections_as_may_be_and_bytes_as_may_be(config: Path) -> None:
    deepest = ".".join("a" * 50) + "=1"
    assert "unknown key" in problems(config, GOOD, deepest)
    config.write_text(GOOD + "#" * (MAX_BYTES - len(GOOD)))
    load_settings(config)
    assert "more than 1,048,576 bytes" in problems(config, GOOD + "#" * (MAX_BYTES + 1 - len(GOOD)))


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Is a directory"):
        load_settings(tmp_path)


def test_the_hash_is_of_values_not_of_their_order(config: Path) -> None:
    one, other = (
        load_settings(config, [f"preprocess.intensity.weights={{{text}}}"]) for text in ("a: 1, b: 0.5", "b: 0.5, a: 1")
    )
    assert settings_hash(one) == settings_hash(other) != settings_hash(load_settings(config))
    assert settings_schema()["title"] == "Configuration of interestrec"


def test_yaml_may_not_be_binary(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"seed: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(path)


def test_what_is_shown_loads_to_the_same(config: Path, tmp_path: Path) -> None:
    settings = load_settings(config)
    (tmp_path / "again.yaml").write_text(dump_yaml(settings.model_dump(mode="json")))
    assert load_settings(tmp_path / "again.yaml") == settings


def test_lineage_leaves_out_where_bytes_are(config: Path) -> None:
    here = load_settings(config)
    there = load_settings(config, ["data.root=/elsewhere", "encoders.text.source=/other"])
    assert here.lineage("data", "encoders") == there.lineage("data", "encoders")
    one, other = (load_settings(config, [f"preprocess.split={{method: none, verified: {w}}}"]) for w in "ab")
    assert one.lineage("preprocess") == other.lineage("preprocess") != here.lineage("preprocess")
    assert here.lineage("finetune") != load_settings(config, ["finetune.epochs=9"]).lineage("finetune")


def test_find_config_by_path_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputMissingError, match="interestrec init news"):
        find_config(None)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "news.yaml").touch()
    with pytest.raises(InputMissingError, match="newz: no such configuration"):
        find_config("newz")
    assert find_config("news") == find_config("news.yaml") == Path("configs/news.yaml")
    (tmp_path / "interestrec.yaml").touch()
    assert find_config(None) == Path("interestrec.yaml")


def test_templates_in_the_checkout_are_valid() -> None:
    assert TEMPLATES
    for template in TEMPLATES:
        assert yaml.safe_load(template.read_text())["version"] == 1
        load_settings(template)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_what_is_shown_with_origins_has_the_same_settings_and_hash(template: Path, tmp_path: Path) -> None:
    overrides = ["seed=7", "finetune.losses={listnet: 0.5}", 'data.root="a # b\\n\\x85c"', "data.relevant_at=1e-3"]
    given = load_effective(template, overrides, Path("1e5"))
    (tmp_path / "again.yaml").write_text(dump_effective(given))
    again = load_settings(tmp_path / "again.yaml")
    assert again == given.settings
    assert settings_hash(again) == settings_hash(given.settings) != settings_hash(load_settings(template))


def test_each_origin_is_where_the_value_was_given(config: Path) -> None:
    config.write_text(GOOD + "  losses:\n    softmax: 2\n    huber: 1\n")
    overrides = ["data.train.0=b.tsv", "finetune.losses={listnet: 0.5}", "rank.als={}"]
    origins = setting_origins(load_effective(config, overrides, Path("w")))
    assert origins["data"]["news"] == [f"{config}:4:10"]
    assert origins["data"]["train"] == ["--set data.train.0=b.tsv"]
    assert origins["data"]["test"] == origins["seed"] == origins["rank"]["als"]["factors"] == "default"
    assert origins["encoders"]["text"] == {
        "source": f"{config}:7:10",
        "kind": "default",
        "pooling": "default",
        "prompt": "default",
    }
    assert origins["finetune"]["learning_rate"] == f"{config}:9:3"
    losses = origins["finetune"]["losses"]
    assert losses["listnet"] == "--set finetune.losses={listnet: 0.5}"
    assert losses["softmax"] == losses["huber"] == "default"  # the override has all of the section's place
    assert origins["workspace"] == "--workspace"


def test_a_table_that_stands_alone_has_its_own_origins(config: Path) -> None:
    config.write_text(EVENTS)
    origins = setting_origins(load_effective(config))
    assert origins["data"]["events"][0]["columns"]["user"] == f"{config}:5:47"
    assert origins["data"]["items"]["files"] == [f"{config}:6:19"]


def test_keys_of_overrides_are_not_endless(config: Path) -> None:
    for parts in (51, 60_000):
        assert problems(config, GOOD, ".".join("a" * parts) + "=1") == "--set a.a…: more than 50 nested sections"


@pytest.mark.parametrize(
    "override",
    [
        "seed=!!python/object/apply:os.system [ls]",
        "seed=&a [*a]",
        "seed=" + "[" * 60,
        "seed={a: 1, a: 2}",
        "seed=\x00",
        "data.train.²=x",
        "seed=[&a 1" + ", *a" * 33 + "]",
    ],
)
def test_values_of_overrides_are_held_to_the_same_limits(config: Path, override: str) -> None:
    assert f"--set {override}: " in problems(config, GOOD, override)
