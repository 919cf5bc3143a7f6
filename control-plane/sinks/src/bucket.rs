//! A bucket of S3: records as files of Parquet, one for each day of a parcel; or files that are whole already.
//!
//! The name of an object says which batches are in it, so that what is sent again lies where it lay.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use columns::Writer;
use lifecycle::settings;
use object_store::{
    BackoffConfig, ObjectStoreExt, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use proto::admin::UsageRecord;
use time::{Date, OffsetDateTime};

use crate::{
    client::{Client, may_ask},
    config::S3,
    unsent::{Unsent, Unusable},
};

/// How often an object is tried again at once, and for how long, before the whole parcel is.
const RETRIES: usize = 2;
const RETRY_MAX: Duration = Duration::from_secs(20);

/// A bucket.
pub(crate) struct Bucket {
    store: AmazonS3,
    prefix: String,
}

/// Files that are being written.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<Option<Date>, Writer<Vec<u8>>>);

// === impl Bucket ===

impl Bucket {
    /// Opens the one of these settings, which stand under `setting`.
    pub(crate) fn open(setting: &str, config: &S3) -> Result<Self, Unusable> {
        let unusable = |field: &str, why: String| Unusable {
            setting: format!("{setting}.{field}"),
            why,
        };
        let key = settings::secret(
            &config.secret_access_key,
            &config.secret_access_key_file,
            "secret_access_key",
        );
        let key = key.map_err(|why| Unusable {
            setting: setting.to_owned(),
            why: why.to_string(),
        })?;
        let key = key.ok_or_else(|| {
            let why = "it or secret_access_key_file must be set".to_owned();
            unusable("secret_access_key", why)
        })?;
        let client = Client::open(config.ca_file.as_deref())
            .map_err(|why| unusable("ca_file", format!("it cannot be read: {why}")))?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(key.expose())
            .with_virtual_hosted_style_request(config.virtual_hosted)
            .with_retry(RetryConfig {
                max_retries: RETRIES,
                retry_timeout: RETRY_MAX,
                backoff: BackoffConfig::default(),
            })
            .with_http_connector(client);
        if !config.endpoint.is_empty() {
            may_ask(&config.endpoint, config.plaintext_beyond_loopback)
                .map_err(|why| unusable("endpoint", format!("`{}` {why}", config.endpoint)))?;
            builder = builder
                .with_endpoint(&config.endpoint)
                .with_allow_http(true);
        }
        let store = builder.build().map_err(|why| Unusable {
            setting: setting.to_owned(),
            why: Unsent::because(&why).to_string(),
        })?;
        Ok(Self {
            store,
            prefix: config.prefix.clone(),
        })
    }

    /// Puts files there, each under the name of its day and of the batches in the parcel.
    pub(crate) async fn send(&self, files: Files, (first, last): (i64, i64)) -> Result<(), Unsent> {
        for (day, file) in files.0 {
            let bytes = file.finish().map_err(|why| Unsent::because(&why))?;
            // ISO 8601, which is how a date prints.
            let day = day.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
            let name = format!("day={day}/{first:020}-{last:020}.parquet");
            self.put(&name, Bytes::from(bytes)).await?;
        }
        Ok(())
    }

    /// Puts a file there under this name, in place of one that was there.
    pub(crate) async fn put(&self, name: &str, file: Bytes) -> Result<(), Unsent> {
        let path = Path::from(format!("{}{name}", self.prefix));
        let put = self.store.put(&path, PutPayload::from(file)).await;
        put.map(drop).map_err(|why| Unsent::because(&why))
    }
}

impl fmt::Debug for Bucket {
    /// Without what signs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Bucket");
        shown.field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

// === impl Files ===

impl Files {
    /// Adds records, each to its day.
    pub(crate) fn add(&mut self, records: &[UsageRecord]) -> Result<(), Unsent> {
        for record in records {
            let at = record.time.as_ref();
            let at = at.and_then(|it| OffsetDateTime::from_unix_timestamp(it.seconds).ok());
            let day = at.map(OffsetDateTime::date);
            let file = match self.0.entry(day) {
                Entry::Occupied(file) => file.into_mut(),
                Entry::Vacant(place) => {
                    let file = Writer::new(Vec::new());
                    place.insert(file.map_err(|why| Unsent::because(&why))?)
                }
            };
            file.push(record).map_err(|why| Unsent::because(&why))?;
        }
        Ok(())
    }
}
