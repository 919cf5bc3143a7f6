//! What can be said of a project.

use std::time::Duration;

use clap::Args;
use proto::admin::{KeyRotation, Project};

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
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
    #[command(flatten)]
    rotation: Rotation,
    /// Have the secrets of its keys replaced when somebody wants to, and let them grow as old as they like
    #[arg(long, conflicts_with_all = ["rotate_every", "overlap", "warn_before", "max_key_age"])]
    no_rotation: bool,
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
        Ok(Project {
            key_rotation: self.rotation.wire(),
            display_name: self.display_name.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Fields {
    type Resource = Project;

    fn change(&self, it: Which, _: &Session) -> Result<(Project, Mask), Failure> {
        let mut mask = Mask::default();
        let display_name = mask.take("display_name", self.display_name.clone());
        let rotation = self.rotation.wire().map(Some);
        let rotation = rotation.or(self.no_rotation.then_some(None));
        Ok((
            Project {
                name: it.name,
                etag: it.etag,
                display_name,
                key_rotation: mask.take("key_rotation", rotation),
                ..Default::default()
            },
            mask,
        ))
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
