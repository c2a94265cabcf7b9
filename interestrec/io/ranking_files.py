"""Names of the files of a `rankings` artifact."""

IMPRESSIONS = "impressions.parquet"
CATALOGUE = "catalogue.parquet"
COLD_CATALOGUE = "cold_catalogue.parquet"  # lists of cold items alone, of users who went on to like one
TRUTH = "truth.parquet"
SYSTEMS = "systems.json"
TRAINING_LOG = "training_log.parquet"  # the model's, for the report's page
