//! The store against a real PostgreSQL, started for these tests and gone with them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on must fail, wherever it is"
)]

mod private;
mod world;
mod ordering;
mod races;
mod organizations;
mod roles;
mod service_accounts;
mod local_users;
mod providers;
mod models;
mod aliases;
mod rollouts;
mod sources;
mod credentials;
mod limits;
mod shares;
mod prices;
mod fleet;
mod usage;
mod shadows;
mod remits;
mod usage_sums;
mod usage_shifts;
mod usage_pairs;
mod usage_bounds;
mod usage_export;
mod usage_sinks;
mod usage_load;
mod alerts;
mod bulk;
mod keeping;
mod content;
mod sealed;
mod checkpoints;
mod audited;
mod reading;
mod reach;
