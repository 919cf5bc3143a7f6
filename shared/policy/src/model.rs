//! Models, their versions and the targets of a version.

use std::sync::Arc;

use payload::transform::Recipe;

use crate::{
    alias::Alias,
    catalogue::Capable,
    deprecation::{Deprecation, Endings},
    id::{ModelId, OrganizationId, ProviderId, VersionId},
    routing::Routing,
    shadow::Shadow,
    split::Split,
};

/// A public model name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What clients ask for.
    pub name: String,
    /// The version that serves; `None` means that the model is not offered.
    pub stable: Option<VersionId>,
    /// When it was made, seconds since 1970.
    pub created_seconds: u64,
    /// How its traffic is shared while it is released in steps; `None` means: the stable version serves all. Boxed,
    /// because few models have one.
    pub split: Option<Box<Split>>,
    /// When another version serves than the release would say: the first of these whose condition is true decides.
    pub rules: Vec<ModelRule>,
    /// Which of its requests are copied to another version; `None`: none. Boxed likewise.
    pub shadow: Option<Box<Shadow>>,
    /// What of it is deprecated; `None`: nothing. Boxed, because of few models anything is.
    pub endings: Option<Box<Endings>>,
    /// Its other names.
    pub aliases: Vec<Alias>,
    /// The one of them by which it is asked for, where [`Self::asked_by`] made it of the model.
    pub alias: Option<Box<Alias>>,
}

/// A version of any model of the organization, and when it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRule {
    /// The condition, in CEL.
    pub condition: String,
    /// The version.
    pub version: VersionId,
}

/// The most rules of a model.
pub const RULES_MAX: usize = 16;

/// An immutable revision of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Which model's it is.
    pub model: ModelId,
    /// The last segment of its name.
    pub name: String,
    /// Where requests go: first those that have a weight, by that, and then the others in order of preference; never empty.
    pub targets: Vec<Target>,
    /// What is changed in a request before it is judged and sent; `None`: nothing. Never empty.
    pub recipe: Option<Arc<Recipe>>,
    /// How its targets are chosen, and after which failures the next one is asked.
    pub routing: Routing,
}

/// What a request is finally sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider.
    pub provider: ProviderId,
    /// The name by which it knows the model.
    pub provider_model: String,
    /// Its share among those that have one, at most [`WEIGHT_MAX`]; zero means: none.
    pub weight: u16,
    /// What it can do.
    pub capable: Capable,
}

/// The largest weight of a target.
pub const WEIGHT_MAX: u16 = 1_000;

// === impl Model ===

impl Model {
    /// What clients call it: its name, or that of the alias by which it is asked for.
    pub fn called(&self) -> &str {
        self.alias.as_deref().map_or(&self.name, |it| &it.name)
    }

    /// Whether it is asked for by an alias that stands for one version alone.
    pub fn is_held(&self) -> bool {
        self.alias.as_deref().is_some_and(|it| it.version.is_some())
    }

    /// What it is to who asks for it by one of its aliases: itself, under its own name and with its own id, so that whatever
    /// judges models judges it. Of an alias that stands for one version that is what serves: no rule, no rollout, no experiment and no
    /// shadow concerns it. A model that is not offered is not offered by an alias either.
    #[must_use]
    pub fn asked_by(&self, alias: &Alias) -> Self {
        let mut it = self.clone();
        if let (Some(_), Some(version)) = (self.stable, alias.version) {
            it.stable = Some(version);
            it.rules.clear();
            (it.split, it.shadow) = (None, None);
        }
        it.aliases = Vec::new();
        it.alias = Some(Box::new(alias.clone()));
        it
    }

    /// Its own deprecation.
    pub fn deprecation(&self) -> Option<&Arc<Deprecation>> {
        self.endings.as_deref()?.own.as_ref()
    }

    /// That of one of its versions.
    pub fn deprecation_of(&self, version: VersionId) -> Option<&Arc<Deprecation>> {
        self.endings.as_deref()?.of_version(version)
    }
}
