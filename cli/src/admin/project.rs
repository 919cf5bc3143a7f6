//! What can be said of a project.

use clap::{Args, ValueEnum};
use proto::admin::{Project, TrafficClass};

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
    failure::Failure,
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

impl Wanted for Fields {
    type Resource = Project;

    fn wanted(self, _: &Session) -> Result<Project, Failure> {
        Ok(Project {
            display_name: self.display_name.unwrap_or_default(),
            traffic_class: self.traffic_class.map_or(0, Class::wire),
            traffic_share: self.traffic_share.unwrap_or_default(),
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
        Ok((
            Project {
                name: it.name,
                etag: it.etag,
                display_name,
                traffic_class,
                traffic_share,
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
