//! What can be said of a project.

use std::time::Duration;

use clap::{Args, ValueEnum};
use proto::admin::{ContentKeeping, KeyRotation, Project, TrafficClass};

use crate::{
    admin::{
        field::{Change, Mask, Wanted, Which},
        handling::Guard,
    },
    failure::Failure,
    moment::{self, span},
    session::Session,
};

/// Its fields.
#[derive(Debug, Clone, Args)]
pub struct Fields {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Whose requests go first where a provider takes no more
    #[arg(long, value_name = "CLASS", value_enum)]
    traffic_class: Option<Class>,
    /// What it is due among others of its class, 1 to 1000
    #[arg(long, value_name = "NUMBER")]
    traffic_share: Option<i32>,
    #[command(flatten)]
    rotation: Rotation,
    /// Have the secrets of its keys replaced when somebody wants to, and let them grow as old as they like
    #[arg(long, conflicts_with_all = ["rotate_every", "overlap", "warn_before", "max_key_age"])]
    no_rotation: bool,
    /// A tag of its requests whose value policy says: TAG=label:NAME, from a label of the key, or TAG=claim:NAME, from a claim of
    /// the token; given for each
    #[arg(long = "tag-source", value_name = "SOURCE")]
    tag_sources: Vec<String>,
    /// Let clients say all tags of its requests
    #[arg(long, conflicts_with = "tag_sources")]
    no_tag_sources: bool,
    /// Of which requests it is kept what they and their answers say
    #[arg(long, value_name = "WHICH", value_enum)]
    content: Option<Content>,
    /// For how many days that is kept, 1 to 90; 7 unless given
    #[arg(long, value_name = "DAYS")]
    content_days: Option<i32>,
    #[command(flatten)]
    guard: Guard,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Content {
    /// Of none
    None,
    /// Of those that failed
    Errors,
    /// Of all
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Class {
    /// People wait for it, and it must go on
    Critical,
    /// As most is
    Standard,
    /// Nobody waits for it; the first that is turned away
    Batch,
}

/// How the secrets of its keys are to be replaced; what is not said is set anew, too.
#[derive(Debug, Clone, Args)]
pub struct Rotation {
    /// After how long the secret of a key is to be replaced
    #[arg(long, value_name = "SPAN", value_parser = span)]
    rotate_every: Option<Duration>,
    /// How long an old secret goes on working; 24 hours or a tenth of the period unless given
    #[arg(long, value_name = "SPAN", value_parser = span)]
    overlap: Option<Duration>,
    /// How long ahead `sluice keys report` shows a key; a tenth of the period unless given
    #[arg(long, value_name = "SPAN", value_parser = span)]
    warn_before: Option<Duration>,
    /// How old a secret may be and still work
    #[arg(long, value_name = "SPAN", value_parser = span)]
    max_key_age: Option<Duration>,
}

impl Wanted for Fields {
    type Resource = Project;

    fn wanted(self, _: &Session) -> Result<Project, Failure> {
        let guard = self.guard.wanted();
        Ok(Project {
            forbidden_preferences: guard.forbidden,
            demands_no_collection: guard.no_collection,
            demands_no_retention: guard.no_retention,
            residencies: guard.residencies,
            key_rotation: self.rotation.wire(),
            display_name: self.display_name.unwrap_or_default(),
            traffic_class: self.traffic_class.map_or(0, Class::wire),
            traffic_share: self.traffic_share.unwrap_or_default(),
            tag_sources: self.tag_sources,
            content_keeping: self.content.map_or(0, Content::wire),
            content_days: self.content_days.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Fields {
    type Resource = Project;

    fn change(&self, it: Which, _: &Session) -> Result<(Project, Mask), Failure> {
        let mut mask = Mask::default();
        let display_name = mask.take("display_name", self.display_name.clone());
        let traffic_class = mask.take("traffic_class", self.traffic_class.map(Class::wire));
        let traffic_share = mask.take("traffic_share", self.traffic_share);
        let rotation = self.rotation.wire().map(Some);
        let rotation = rotation.or(self.no_rotation.then_some(None));
        let sources = (!self.tag_sources.is_empty()).then(|| self.tag_sources.clone());
        let sources = sources.or(self.no_tag_sources.then(Vec::new));
        let guard = self.guard.change(&mut mask);
        Ok((
            Project {
                forbidden_preferences: guard.forbidden,
                demands_no_collection: guard.no_collection,
                demands_no_retention: guard.no_retention,
                residencies: guard.residencies,
                name: it.name,
                etag: it.etag,
                display_name,
                traffic_class,
                traffic_share,
                key_rotation: mask.take("key_rotation", rotation),
                tag_sources: mask.take("tag_sources", sources),
                content_keeping: mask.take("content_keeping", self.content.map(Content::wire)),
                content_days: mask.take("content_days", self.content_days),
                ..Default::default()
            },
            mask,
        ))
    }
}

// === impl Class ===

impl Class {
    fn wire(self) -> i32 {
        match self {
            Self::Critical => TrafficClass::Critical,
            Self::Standard => TrafficClass::Standard,
            Self::Batch => TrafficClass::Batch,
        }
        .into()
    }
}

// === impl Content ===

impl Content {
    fn wire(self) -> i32 {
        match self {
            Self::None => ContentKeeping::None,
            Self::Errors => ContentKeeping::Errors,
            Self::All => ContentKeeping::All,
        }
        .into()
    }
}

// === impl Rotation ===

impl Rotation {
    fn wire(&self) -> Option<KeyRotation> {
        let given = [
            self.rotate_every,
            self.overlap,
            self.warn_before,
            self.max_key_age,
        ];
        given.iter().any(Option::is_some).then(|| {
            let [period, overlap, warn_before, max_age] =
                given.map(|span| span.map(moment::wire_span));
            KeyRotation {
                period,
                overlap,
                warn_before,
                max_age,
            }
        })
    }
}
