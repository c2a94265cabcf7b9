"""From a log or a corpus to the files of other tools: RecBole, LensKit, plain Parquet."""
