//! A key of AWS KMS for one test, by a server that nobody here wrote: the one that also has buckets.

use std::path::Path;

use crate::{bucket::Bucket, client::Client};

/// A running server with one key. Dropping it stops it.
#[derive(Debug)]
pub struct Kms {
    server: Bucket,
    key_id: String,
}

// === impl Kms ===

impl Kms {
    /// Starts one with its files below `folder`, on a free port.
    pub async fn start(folder: &Path) -> Self {
        let server = Bucket::start(folder).await;
        let url = format!("http://{}", server.address());
        let mut client = Client::connect(&url, "").await.expect("the server accepts");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "TrentService.CreateKey"),
            // Whose signature it is decides which service is meant; it is not checked.
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=0",
            ),
        ];
        let reply = client.request("POST", "/", &headers, "{}".to_owned()).await;
        let made = reply.expect("the server answers").json().await;
        let key_id = made["KeyMetadata"]["KeyId"].as_str();
        let key_id = key_id.expect("a key is made").to_owned();
        Self { server, key_id }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Which key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}
