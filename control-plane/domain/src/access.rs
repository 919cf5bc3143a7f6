//! Who may do what: a fixed table of permissions, the roles that hold them, and where they are bound.
//!
//! Knows nothing of who asks and what for. A place covers what stands in it; what is not known of a role opens nothing, and
//! keeps everybody from giving it.

use std::collections::BTreeSet;

use crate::{name::RoleName, segment::Slug};

pub use crate::place::{InvalidPlace, Place};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $(#[doc = $doc:literal] $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $doc] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What it is, in a sentence.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }.trim_start()
            }

            /// The one with this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.word() == word)
            }
        }
    };
}

words! {
    /// What may be allowed.
    Permission {
        /// Make organizations.
        OrganizationsCreate = "organizations.create",
        /// See an organization.
        OrganizationsRead = "organizations.read",
        /// Change or delete an organization.
        OrganizationsWrite = "organizations.write",
        /// See projects.
        ProjectsRead = "projects.read",
        /// Make and delete projects, and change how their keys rotate.
        ProjectsWrite = "projects.write",
        /// See providers.
        ProvidersRead = "providers.read",
        /// Make, change and delete providers, and give them credentials.
        ProvidersWrite = "providers.write",
        /// See models and their versions.
        ModelsRead = "models.read",
        /// Make models and versions, choose which serves, run rollouts, and say which registries are followed.
        ModelsPublish = "models.publish",
        /// Say when rollouts are frozen.
        FreezesWrite = "freezes.write",
        /// Start rollouts, and let them go on, in spite of a freeze.
        FreezesOverride = "freezes.override",
        /// See keys, never their texts, and service accounts.
        KeysRead = "keys.read",
        /// Mint, import, change and rotate keys, make service accounts and switch them.
        KeysIssue = "keys.issue",
        /// Revoke and delete keys, and delete service accounts.
        KeysRevoke = "keys.revoke",
        /// See limits.
        LimitsRead = "limits.read",
        /// Make, change and delete limits.
        LimitsWrite = "limits.write",
        /// See issuers of clients' tokens.
        IssuersRead = "issuers.read",
        /// Say whose tokens are taken, and what they open.
        IssuersWrite = "issuers.write",
        /// See prices and discounts.
        PricesRead = "prices.read",
        /// Make and delete prices and discounts, and price settled usage anew.
        PricesWrite = "prices.write",
        /// See what was used.
        UsageRead = "usage.read",
        /// Read what requests and their answers say, where it is kept.
        ContentReveal = "content.reveal",
        /// Make the ledger forget end users.
        UsageErase = "usage.erase",
        /// See who may do what.
        OperatorsRead = "operators.read",
        /// Say who may do what, up to what one may oneself.
        OperatorsWrite = "operators.write",
        /// See edges and join tokens.
        EdgesRead = "edges.read",
        /// Let edges join, and forget them.
        EdgesWrite = "edges.write",
        /// See channels and rules of alerts, and what has fired.
        AlertsRead = "alerts.read",
        /// Make, try and delete channels and rules of alerts.
        AlertsWrite = "alerts.write",
        /// See who did what.
        AuditRead = "audit.read",
    }
}

words! {
    /// A set of permissions.
    Role {
        /// Everything where it is bound; bound to no organization, everything there is.
        Owner = "owner",
        /// A project with its keys.
        ProjectAdmin = "project-admin",
        /// Keys.
        KeyIssuer = "key-issuer",
        /// Models and their versions.
        ModelPublisher = "model-publisher",
        /// What is used, and what requests and their answers say, where it is kept.
        ContentReader = "content-reader",
        /// Sees everything that is configured, used and done, and changes nothing.
        Auditor = "auditor",
        /// Sees what is configured and used.
        Viewer = "viewer",
    }
}

/// What a role of an organization's own holds, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    known: BTreeSet<Permission>,
    whole: bool,
}

/// A role of an organization's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRole {
    /// Its name.
    pub name: RoleName,
    /// What it holds.
    pub permissions: Permissions,
}

/// A role that may be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// One of everybody's.
    BuiltIn(Role),
    /// One of an organization's own, which is bound in that organization alone.
    Own(OwnRole),
}

/// A role, and where it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What is allowed.
    pub role: Bound,
    /// In which place, and what stands in it.
    pub at: Place,
}

/// What an operator holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings(pub Vec<Binding>);

// === impl Permission ===

impl Permission {
    /// Whether it is allowed in organizations and projects, and not only over everything there is.
    pub const fn is_of_an_organization(self) -> bool {
        !matches!(
            self,
            Self::OrganizationsCreate | Self::EdgesRead | Self::EdgesWrite
        )
    }
}

// === impl Role ===

impl Role {
    /// Whether the role holds the permission.
    pub fn holds(self, permission: Permission) -> bool {
        use Permission as P;
        let reads = matches!(
            permission,
            P::OrganizationsRead
                | P::ProjectsRead
                | P::ProvidersRead
                | P::ModelsRead
                | P::KeysRead
                | P::LimitsRead
                | P::IssuersRead
                | P::PricesRead
                | P::UsageRead
                | P::AlertsRead
        );
        match self {
            Self::Owner => true,
            Self::ProjectAdmin => matches!(
                permission,
                P::ProjectsRead
                    | P::ProjectsWrite
                    | P::KeysRead
                    | P::KeysIssue
                    | P::KeysRevoke
                    | P::UsageRead
            ),
            Self::KeyIssuer => matches!(
                permission,
                P::ProjectsRead | P::KeysRead | P::KeysIssue | P::KeysRevoke
            ),
            Self::ModelPublisher => matches!(
                permission,
                P::ModelsRead | P::ModelsPublish | P::ProvidersRead
            ),
            Self::ContentReader => {
                matches!(
                    permission,
                    P::ProjectsRead | P::UsageRead | P::ContentReveal
                )
            }
            Self::Auditor => {
                reads || matches!(permission, P::OperatorsRead | P::EdgesRead | P::AuditRead)
            }
            Self::Viewer => reads,
        }
    }
}

// === impl Permissions ===

impl Permissions {
    /// These, and no others.
    pub fn all_of(known: impl IntoIterator<Item = Permission>) -> Self {
        Self {
            known: known.into_iter().collect(),
            whole: true,
        }
    }

    /// Those with these words. A word that only a newer control plane knows allows nothing here, and is not forgotten.
    pub fn of_words(words: &[String]) -> Self {
        let known: BTreeSet<Permission> = words
            .iter()
            .filter_map(|word| Permission::parse(word))
            .collect();
        let whole = words.iter().all(|word| Permission::parse(word).is_some());
        Self { known, whole }
    }

    /// Whether all of them are known here.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Those that are known, in the order of the table.
    pub fn known(&self) -> impl Iterator<Item = Permission> {
        self.known.iter().copied()
    }
}

// === impl Bound ===

impl Bound {
    /// Whether the role holds the permission.
    pub fn holds(&self, permission: Permission) -> bool {
        match self {
            Self::BuiltIn(role) => role.holds(permission),
            Self::Own(role) => role.permissions.known.contains(&permission),
        }
    }

    /// Its word, or its name.
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn(role) => role.word().to_owned(),
            Self::Own(role) => role.name.to_string(),
        }
    }

    fn is_whole(&self) -> bool {
        match self {
            Self::BuiltIn(_) => true,
            Self::Own(role) => role.permissions.whole,
        }
    }
}

impl From<Role> for Bound {
    fn from(role: Role) -> Self {
        Self::BuiltIn(role)
    }
}

// === impl Bindings ===

impl Bindings {
    /// Whether they allow this there.
    pub fn allow(&self, permission: Permission, there: &Place) -> bool {
        let mut bindings = self.0.iter();
        bindings.any(|it| it.role.holds(permission) && it.at.covers(there))
    }

    /// Whether whoever holds these may bind that: nobody gives what they do not have.
    pub fn may_give(&self, binding: &Binding) -> bool {
        let mut held = Permission::ALL.iter().filter(|it| binding.role.holds(**it));
        binding.role.is_whole() && held.all(|it| self.allow(*it, &binding.at))
    }

    /// The organizations of which anything may be seen; `None` means: all.
    pub fn organizations(&self) -> Option<Vec<Slug>> {
        let mut slugs = Vec::new();
        for binding in &self.0 {
            match &binding.at {
                Place::Everywhere if binding.role.holds(Permission::OrganizationsRead) => {
                    return None;
                }
                Place::Everywhere => {}
                Place::Organization(name) => slugs.push(name.organization.clone()),
                Place::Project(name) => slugs.push(name.organization.clone()),
            }
        }
        Some(slugs)
    }
}

#[cfg(test)]
#[path = "access_test.rs"]
mod tests;
