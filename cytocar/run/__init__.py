"""Many samples: plan, execute, workers, shards, the run folder."""
