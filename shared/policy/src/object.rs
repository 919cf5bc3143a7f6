//! Every kind of object that policy is made of, and the lane in which each travels.

use crate::{
    credential::{Credential, Pepper},
    issuer::Issuer,
    key::Key,
    limit::Limit,
    model::{Model, Version},
    organization::Organization,
    price::{Discount, Price},
    project::Project,
    provider::Provider,
};

/// A stream of changes with an order of its own. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    /// Organizations, projects, providers, models, versions, limits, prices, discounts, issuers.
    Config = 1,
    /// Keys and revocations.
    Keys = 2,
    /// Provider credentials and peppers.
    Secrets = 3,
}

/// What an object is. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An organization.
    Organization = 1,
    /// A project.
    Project = 2,
    /// A provider.
    Provider = 3,
    /// A model.
    Model = 4,
    /// A version of a model.
    Version = 5,
    /// A limit.
    Limit = 6,
    /// A key.
    Key = 7,
    /// A provider's credential.
    Credential = 8,
    /// A pepper.
    Pepper = 9,
    /// An organization's own price.
    Price = 10,
    /// A discount.
    Discount = 11,
    /// An issuer of clients' tokens.
    Issuer = 12,
}

/// An object of policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each arm is the noun that its type documents")]
pub enum Object {
    Organization(Organization),
    Project(Project),
    Provider(Provider),
    Model(Model),
    Version(Version),
    Limit(Box<Limit>),
    Key(Key),
    Credential(Credential),
    Pepper(Pepper),
    Price(Price),
    Discount(Discount),
    Issuer(Box<Issuer>),
}

// === impl Lane ===

impl Lane {
    /// Every lane, once, in the order in which an edge needs them.
    pub const ALL: [Self; 3] = [Self::Config, Self::Keys, Self::Secrets];

    /// The lane with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| *lane as u8 == number)
    }

    /// The word for it in logs, metric labels and the admin API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Keys => "keys",
            Self::Secrets => "secrets",
        }
    }
}

// === impl Kind ===

impl Kind {
    /// Every kind, once.
    pub const ALL: [Self; 12] = [
        Self::Organization,
        Self::Project,
        Self::Provider,
        Self::Model,
        Self::Version,
        Self::Limit,
        Self::Key,
        Self::Credential,
        Self::Pepper,
        Self::Price,
        Self::Discount,
        Self::Issuer,
    ];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The lane in which objects of this kind travel.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Organization
            | Self::Project
            | Self::Provider
            | Self::Model
            | Self::Version
            | Self::Limit
            | Self::Price
            | Self::Discount
            | Self::Issuer => Lane::Config,
            Self::Key => Lane::Keys,
            Self::Credential | Self::Pepper => Lane::Secrets,
        }
    }
}

// === impl Object ===

impl Object {
    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Organization(_) => Kind::Organization,
            Self::Project(_) => Kind::Project,
            Self::Provider(_) => Kind::Provider,
            Self::Model(_) => Kind::Model,
            Self::Version(_) => Kind::Version,
            Self::Limit(_) => Kind::Limit,
            Self::Key(_) => Kind::Key,
            Self::Credential(_) => Kind::Credential,
            Self::Pepper(_) => Kind::Pepper,
            Self::Price(_) => Kind::Price,
            Self::Discount(_) => Kind::Discount,
            Self::Issuer(_) => Kind::Issuer,
        }
    }

    /// What names it among objects of its kind, for ever.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Organization(object) => object.id.as_bytes().to_vec(),
            Self::Project(object) => object.id.as_bytes().to_vec(),
            Self::Provider(object) => object.id.as_bytes().to_vec(),
            Self::Model(object) => object.id.as_bytes().to_vec(),
            Self::Version(object) => object.id.as_bytes().to_vec(),
            Self::Limit(object) => object.id.as_bytes().to_vec(),
            Self::Key(object) => object.key_id.as_bytes().to_vec(),
            Self::Credential(object) => object.provider.as_bytes().to_vec(),
            Self::Pepper(object) => object.version.to_be_bytes().to_vec(),
            Self::Price(object) => object.id.as_bytes().to_vec(),
            Self::Discount(object) => object.id.as_bytes().to_vec(),
            Self::Issuer(object) => object.id.as_bytes().to_vec(),
        }
    }
}
