"""Names of the files in each artifact, shared by the stage that writes them and the stages that read them."""

# Every artifact
MANIFEST = "manifest.json"
TIMING = "timing.jsonl"  # differs between runs, so the manifest does not list it

# Corpus
ITEMS = "items.parquet"
USERS = "users.parquet"
TIMELINES = "timelines.parquet"
IMPRESSIONS = "impressions.parquet"  # also in rankings
CANDIDATES = "candidates.parquet"
QUALITY = "quality.json"
FEATURES = "features"  # directory of the three kinds below
TOKENS = "text-{}.parquet"  # named by the tokenizer
GIVEN_VECTORS = "vectors-{}.npy"  # named by the encoder
PICTURES = "image-{}.parquet"  # likewise

# Encoder, beside the files that `io.encoder_files` describes
ADAPTATION = "adaptation.json"

# Model
ITEM_VECTORS = "item_vectors.safetensors"
TRAINING_LOG = "training_log.parquet"  # also copied into rankings, for the report page
ATTRIBUTES = "attributes.json"
USER_ATTRIBUTES = "user_attributes.json"
CALIBRATION = "calibration.json"
OUTCOME = "outcome.json"
MEMBER = "member-{}"  # directory of a further model of an ensemble, counted from 1
FOLDS = "folds.parquet"

# Decision
DECISION = "decision.json"
SCORERS = "scorers"  # name of the file of arrays, see io/array_files.py
LOG = "log"  # directory with the items, users and timelines of the corpus, and the events that came after it

# Rankings
CATALOGUE = "catalogue.parquet"
COLD_CATALOGUE = "cold_catalogue.parquet"  # lists of cold items only, for users with a relevant cold item later
TRUTH = "truth.parquet"
SYSTEMS = "systems.json"
TASK_PREDICTIONS = "task_predictions.parquet"  # of the tasks of a model that has some
DELETIONS = "deletions.parquet"  # lists without some events of the history, for a sample of users

# Report
METRICS = "metrics.parquet"
METRICS_JSON = "metrics.json"
SLICES = "slices.json"
PER_USER = "per_user.parquet"
COMPARISONS = "comparisons.parquet"
GAPS = "gaps.parquet"
EXPOSURE = "exposure.parquet"
AUDIT = "audit.json"
VERDICTS = "verdicts.json"
TASK_METRICS = "task_metrics.parquet"  # of rankings with TASK_PREDICTIONS
DELETION_CURVES = "deletion_curves.json"  # of rankings with DELETIONS
REPORT_PAGE = "report.html"

# Tuning, beside a page
TRIALS = "trials.parquet"
CURVES = "curves.parquet"
TUNING = "tuning.json"
TUNED = "tuned.yaml"  # the configuration with the chosen settings

# Replay, beside a page and COMPARISONS of policies; what steps took is as measured, and differs between runs
REPLAY = "replay.parquet"
REPLAY_JSON = "replay.json"
COSTS = "costs.parquet"
COSTS_JSON = "costs.json"

# Windows, beside a page and tables of METRICS and COMPARISONS that name the window
WINDOWS = "windows.json"
