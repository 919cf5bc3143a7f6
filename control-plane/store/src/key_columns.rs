//! A key as the database has it, before it is read.

use time::OffsetDateTime;
use uuid::Uuid;

/// A row as the database has it.
pub(crate) struct Columns {
    pub(crate) id: Uuid,
    pub(crate) key_id: String,
    pub(crate) environment: i16,
    pub(crate) display_name: String,
    pub(crate) models: Vec<String>,
    pub(crate) expires_at: Option<OffsetDateTime>,
    pub(crate) revoked_at: Option<OffsetDateTime>,
    pub(crate) version: i64,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) secret_created_at: OffsetDateTime,
    pub(crate) previous_expires_at: Option<OffsetDateTime>,
    pub(crate) used_at: Option<OffsetDateTime>,
    pub(crate) previous_used_at: Option<OffsetDateTime>,
    pub(crate) model_patterns: Vec<String>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) providers: Vec<String>,
    pub(crate) regions: Vec<String>,
    pub(crate) ip_ranges: Vec<String>,
    pub(crate) request_tokens_max: Option<i64>,
    pub(crate) label_names: Vec<String>,
    pub(crate) label_values: Vec<String>,
    pub(crate) disabled: bool,
    pub(crate) imported: bool,
    pub(crate) service_account: Option<String>,
    pub(crate) account_disabled: Option<bool>,
    pub(crate) revision: i64,
}
