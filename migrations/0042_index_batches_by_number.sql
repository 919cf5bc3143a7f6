-- no-transaction
-- Batches of all organizations are read in the order of their numbers.
-- Old code can run against it: it adds an index only.

CREATE INDEX CONCURRENTLY IF NOT EXISTS usage_batch_all_idx ON usage_batch (number);
