//! The only crate that knows SQL.
//!
//! Owns every statement, the order of revisions and what the database refuses. Knows nothing of protobuf and
//! gRPC, and never holds a secret in clear longer than it takes to publish it.

pub mod error;
mod conflict;
pub mod id;
mod column;
mod pool;
mod store;
mod migrate;
pub mod head;
pub mod log;
pub mod doorbell;
mod publish;
mod write;
mod idempotency;
pub mod list;
mod named;
pub mod organization;
pub mod project;
pub mod pepper;
mod credential;
pub mod provider;
pub mod model;
pub mod version;
pub mod key_secret;
mod key_columns;
mod key_models;
mod key_scope;
mod key_object;
pub mod key;
pub mod key_rotation;
pub mod key_report;
mod limit_scope;
mod limit_terms;
pub mod limit;
pub mod limit_share;
mod issuer_columns;
mod issuer_object;
pub mod issuer;
mod price_for;
pub mod price;
pub mod discount;
pub mod audit;
pub mod operator_key;
pub mod join_token;
pub mod edge_identity;
mod sighting;
pub mod edge;
pub mod key_use;
mod usage_groups;
pub mod usage;
pub mod repricing;

pub use doorbell::{Bell, Doorbell};
pub use error::{Obstacle, StoreError};
pub use head::Head;
pub use idempotency::Once;
pub use join_token::JoinToken;
pub use list::Listed;
pub use log::{ChangeRow, Changes, Everything, HashRow, ObjectRow};
pub use migrate::NotMigrated;
pub use pool::Config;
pub use sighting::EdgeSighting;
pub use store::{Encode, Store};
pub use usage::{Stored, UsageRecord};
pub use write::{Numbered, Write};
