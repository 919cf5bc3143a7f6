//! What a key can be held to, on a command line.

use std::collections::HashMap;

use clap::Args;
use proto::admin::Key;

use crate::{admin::field::Mask, failure::Failure, noun, place::Place};

/// What it is held to; what is not said holds nothing back.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Scope")]
pub struct Scope {
    /// Models that it may ask for by what they are called, such as 'gpt-4*'; may be repeated
    #[arg(long, value_name = "PATTERN")]
    model_pattern: Vec<String>,
    /// What it may ask, such as embeddings; may be repeated
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Vec<String>,
    /// Where its requests may go; may be repeated
    #[arg(long, value_name = "PROVIDER")]
    provider: Vec<String>,
    /// The region whose edges know it; may be repeated
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// Where its requests may come from: an address or a range; may be repeated
    #[arg(long, value_name = "RANGE")]
    ip_range: Vec<String>,
    /// The most tokens that one request may be expected to use
    #[arg(long, value_name = "COUNT")]
    request_tokens_max: Option<i64>,
    /// What to sort it by; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

/// Reads `NAME=VALUE`.
fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

// === impl Scope ===

impl Scope {
    /// Puts it into a key.
    pub fn put(self, key: &mut Key, place: &Place) -> Result<(), Failure> {
        key.providers = providers(&self.provider, place)?;
        key.model_patterns = self.model_pattern;
        key.endpoints = self.endpoint;
        key.regions = self.region;
        key.ip_ranges = self.ip_range;
        key.request_tokens_max = self.request_tokens_max.unwrap_or(0);
        key.labels = HashMap::from_iter(self.label);
        Ok(())
    }

    /// Puts what was said into a key that changes; where `emptied`, the rest of the scope goes.
    pub fn change(
        &self,
        key: &mut Key,
        (mask, place): (&mut Mask, &Place),
        emptied: bool,
    ) -> Result<(), Failure> {
        let providers = providers(&self.provider, place)?;
        key.model_patterns = mask.take_list("model_patterns", &self.model_pattern, emptied);
        key.endpoints = mask.take_list("endpoints", &self.endpoint, emptied);
        key.providers = mask.take_list("providers", &providers, emptied);
        key.regions = mask.take_list("regions", &self.region, emptied);
        key.ip_ranges = mask.take_list("ip_ranges", &self.ip_range, emptied);
        let tokens = self.request_tokens_max.or(emptied.then_some(0));
        key.request_tokens_max = mask.take("request_tokens_max", tokens);
        let labels = (!self.label.is_empty()).then(|| self.label.iter().cloned().collect());
        key.labels = mask.take("labels", labels);
        Ok(())
    }
}

fn providers(given: &[String], place: &Place) -> Result<Vec<String>, Failure> {
    let names = given
        .iter()
        .map(|text| place.name(noun::PROVIDER.collections, text));
    names.collect()
}
