//! What can be said of an alias.

use clap::Args;
use proto::admin::{AliasFollows, ModelAlias};

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
    failure::Failure,
    noun,
    session::Session,
};

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// The model for which it stands: whatever that serves, unless more is said
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Have its newest version serve, from the moment on at which that is made
    #[arg(long, conflicts_with = "pin")]
    newest: bool,
    /// Have this version of it serve, by its id, whatever becomes of the model
    #[arg(long, value_name = "VERSION")]
    pin: Option<String>,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// The model for which it stands
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Have the newest version serve, from the moment on at which that is made
    #[arg(long, conflicts_with_all = ["pin", "follow_model"])]
    newest: bool,
    /// Have this version serve, by its id, whatever becomes of the model
    #[arg(long, value_name = "VERSION", conflicts_with = "follow_model")]
    pin: Option<String>,
    /// Have whatever the model serves serve
    #[arg(long)]
    follow_model: bool,
}

/// What serves, where that is said.
fn follows(newest: bool, pin: Option<&String>) -> Option<AliasFollows> {
    match (newest, pin) {
        (true, _) => Some(AliasFollows::Newest),
        (false, Some(_)) => Some(AliasFollows::Pinned),
        (false, None) => None,
    }
}

impl Wanted for New {
    type Resource = ModelAlias;

    fn wanted(self, session: &Session) -> Result<ModelAlias, Failure> {
        let follows = follows(self.newest, self.pin.as_ref());
        Ok(ModelAlias {
            model: session.place.name(noun::MODEL.collections, &self.model)?,
            follows: follows.unwrap_or(AliasFollows::Model).into(),
            version_id: self.pin.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Edit {
    type Resource = ModelAlias;

    fn change(&self, it: Which, session: &Session) -> Result<(ModelAlias, Mask), Failure> {
        let mut mask = Mask::default();
        let model = self.model.as_ref();
        let model = model.map(|name| session.place.name(noun::MODEL.collections, name));
        let follows = follows(self.newest, self.pin.as_ref());
        let follows = follows.or(self.follow_model.then_some(AliasFollows::Model));
        let alias = ModelAlias {
            name: it.name,
            etag: it.etag,
            model: mask.take("model", model.transpose()?),
            follows: mask.take("follows", follows.map(i32::from)),
            version_id: mask.take("version_id", self.pin.clone()),
            ..Default::default()
        };
        Ok((alias, mask))
    }
}
