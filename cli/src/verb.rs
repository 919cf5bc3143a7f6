//! The arguments of the verbs that all nouns share.
//!
//! Knows what can be said on a command line and where it stands in a request; sends nothing.

use std::time::Duration;

use clap::{Args, Subcommand};
use prost_reflect::{DynamicMessage, Value};

use crate::{failure::Failure, moment::span};

/// What any write can be told.
#[derive(Debug, Clone, Default, Args)]
pub struct Write {
    /// A UUID: the same call with the same one again changes nothing and gives the same reply, for a day
    #[arg(long, value_name = "UUID", help_heading = "Writing")]
    pub request_id: Option<String>,
    /// Check everything, write nothing
    #[arg(long, help_heading = "Writing")]
    pub validate_only: bool,
    /// Wait until every edge has it; exits 7 and names those that have not
    #[arg(
        long,
        value_name = "TIMEOUT",
        value_parser = span,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10s",
        conflicts_with = "validate_only",
        help_heading = "Writing"
    )]
    pub wait: Option<Duration>,
}

/// Which one to show.
#[derive(Debug, Clone, Args)]
pub struct Get {
    /// Its id or whole name
    pub name: String,
}

/// How many to show.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// The most to show
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = at_least_one)]
    pub max: usize,
}

/// What to make, of a noun whose id the caller chooses.
#[derive(Debug, Clone, Args)]
pub struct Create<F: Args> {
    /// The id that it gets, or its whole name
    pub name: String,
    /// What the noun's own file reads.
    #[command(flatten)]
    pub fields: F,
    /// The write.
    #[command(flatten)]
    pub write: Write,
}

/// Which one to change, and how.
#[derive(Debug, Clone, Args)]
pub struct Update<F: Args> {
    /// Its id or whole name
    pub name: String,
    /// What the noun's own file reads.
    #[command(flatten)]
    pub fields: F,
    /// The etag that it must still have; without one, whatever stands there is changed
    #[arg(long, value_name = "ETAG", help_heading = "Writing")]
    pub etag: Option<String>,
    /// The write.
    #[command(flatten)]
    pub write: Write,
}

/// Which one to delete.
#[derive(Debug, Clone, Args)]
pub struct Delete {
    /// Its id or whole name
    pub name: String,
    /// The etag that it must still have; without one, whatever stands there is deleted
    #[arg(long, value_name = "ETAG", help_heading = "Writing")]
    pub etag: Option<String>,
    /// The write.
    #[command(flatten)]
    pub write: Write,
}

/// What can be done with most nouns.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb<C: Args, U: Args> {
    /// Make one
    Create(Create<C>),
    /// Change what is named of one
    Update(Update<U>),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
}

/// What can be done with anything that stands.
#[derive(Debug, Clone, Subcommand)]
pub enum Standing {
    /// Show one
    Get(Get),
    /// Show all
    List(List),
    /// Delete one
    Delete(Delete),
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "must be 1 or more".to_owned())
}

// === impl Write ===

impl Write {
    /// Puts what was said into a request.
    pub fn stamp(&self, request: &mut DynamicMessage) -> Result<(), Failure> {
        if let Some(id) = &self.request_id {
            let value = Value::String(id.clone());
            request
                .try_set_field_by_name("request_id", value)
                .map_err(Failure::broken)?;
        }
        if self.validate_only {
            let value = Value::Bool(true);
            request
                .try_set_field_by_name("validate_only", value)
                .map_err(Failure::broken)?;
        }
        Ok(())
    }

    /// The same for the `step`th of several calls that make up one command: a request id belongs to one call.
    pub fn of_step(&self, step: u8) -> Result<Self, Failure> {
        let Some(text) = &self.request_id else {
            return Ok(self.clone());
        };
        let id: uuid::Uuid = text
            .parse()
            .map_err(|_| Failure::usage(format!("--request-id {text}: is not a UUID")))?;
        let mut bytes = id.into_bytes();
        bytes[15] ^= step;
        Ok(Self {
            request_id: Some(uuid::Uuid::from_bytes(bytes).to_string()),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_of_a_command_has_a_request_id_of_its_own_and_always_the_same() {
        let id = "0197a1de-0000-7000-8000-000000000001".to_owned();
        let write = Write {
            request_id: Some(id.clone()),
            ..Write::default()
        };
        let of_step = |step| write.of_step(step).unwrap().request_id.unwrap();
        assert_eq!(of_step(0), id);
        assert_eq!(of_step(1), of_step(1));
        assert_ne!(of_step(1), of_step(2));
        let wrong = Write {
            request_id: Some("seven".to_owned()),
            ..Write::default()
        };
        assert!(
            wrong
                .of_step(1)
                .unwrap_err()
                .to_string()
                .contains("is not a UUID")
        );
        assert_eq!(Write::default().of_step(1).unwrap().request_id, None);
    }
}
