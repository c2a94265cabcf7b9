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
FEATURES = "features"  # directory

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

# Rankings
CATALOGUE = "catalogue.parquet"
COLD_CATALOGUE = "cold_catalogue.parquet"  # lists of cold items only, for users with a relevant cold item later
TRUTH = "truth.parquet"
SYSTEMS = "systems.json"

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
REPORT_PAGE = "report.html"

# Windows, beside a page and tables of METRICS and COMPARISONS that name the window
WINDOWS = "windows.json"
