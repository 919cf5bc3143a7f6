//! The issuers of clients' tokens, their expressions compiled when policy is put in force, so that no request waits for that.
//!
//! Knows which URL is whose; knows nothing of keys or tokens. An issuer whose expressions do not compile here, which the
//! control plane refuses, has no mapping, and none of its tokens is taken.

use std::{collections::HashMap, sync::Arc};

use claims::mapping::Mapping;
use policy::{id::IssuerId, issuer::Issuer, rules::Rules};
use tracing::warn;

/// An issuer, ready for use.
#[derive(Debug)]
pub struct Trusted {
    /// As operators want it.
    pub issuer: Arc<Issuer>,
    /// What claims mean; `None` where that cannot be told.
    pub mapping: Option<Mapping>,
}

/// Those of a whole configuration.
#[derive(Debug, Default)]
pub struct Issuers {
    all: HashMap<IssuerId, Arc<Trusted>>,
    // Those that sign tokens. Several organizations may trust one issuer, each for audiences of its own.
    by_url: HashMap<String, Vec<Arc<Trusted>>>,
}

// === impl Issuers ===

impl Issuers {
    /// Those of a configuration. What stood `before` is not compiled again.
    pub fn of(rules: &Rules, before: &Self) -> Self {
        let mut issuers = Self::default();
        for issuer in rules.issuers() {
            let stands = before.all.get(&issuer.id).filter(|it| it.issuer == *issuer);
            let trusted = stands.map_or_else(|| compile(issuer), Arc::clone);
            if issuer.signs_tokens() {
                let same = issuers.by_url.entry(issuer.url.clone()).or_default();
                same.push(Arc::clone(&trusted));
            }
            issuers.all.insert(issuer.id, trusted);
        }
        issuers
    }

    /// Every one, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Trusted>> {
        self.all.values()
    }

    /// The issuer with this id.
    pub fn get(&self, id: IssuerId) -> Option<&Arc<Trusted>> {
        self.all.get(&id)
    }

    /// Those that say so in `iss`.
    pub fn at(&self, url: &str) -> &[Arc<Trusted>] {
        self.by_url.get(url).map_or(&[], Vec::as_slice)
    }

    /// Who issues tokens for `resource`, as RFC 9728 has it; `None` where nobody does, or nobody says what the resource is.
    /// Where several organizations trust issuers, whoever asks is told of none: it is nobody's but theirs.
    pub fn told(&self, resource: &str) -> Option<Vec<u8>> {
        let all = || self.all().filter(|it| it.issuer.signs_tokens());
        let mut trusted = all().filter(|it| !it.issuer.disabled).peekable();
        let organization = trusted.peek()?.issuer.organization;
        let of_one = all().all(|it| it.issuer.organization == organization);
        if resource.is_empty() {
            return None;
        }
        let mut urls: Vec<&str> = trusted.map(|it| it.issuer.url.as_str()).collect();
        urls.sort_unstable();
        urls.dedup();
        let mut told = serde_json::json!({
            "resource": resource,
            "bearer_methods_supported": ["header"],
        });
        if let (true, Some(told)) = (of_one, told.as_object_mut()) {
            told.insert("authorization_servers".to_owned(), urls.into());
        }
        Some(told.to_string().into_bytes())
    }

    /// Whether it is this one that is trusted now, unchanged.
    pub fn holds(&self, trusted: &Arc<Trusted>) -> bool {
        self.get(trusted.issuer.id)
            .is_some_and(|it| Arc::ptr_eq(it, trusted))
    }

    /// Whether exactly the same ones are here.
    pub fn is_as(&self, other: &Self) -> bool {
        self.all.len() == other.all.len() && self.all.values().all(|it| other.holds(it))
    }
}

fn compile(issuer: &Arc<Issuer>) -> Arc<Trusted> {
    let mapping = Mapping::compile(&issuer.mapping);
    if let Err((field, _)) = &mapping {
        warn!(issuer = %issuer.name, field, "its expression cannot be used by this build");
    }
    Arc::new(Trusted {
        issuer: Arc::clone(issuer),
        mapping: mapping.ok(),
    })
}

#[cfg(test)]
mod tests {
    use policy::{
        change::Edit,
        id::OrganizationId,
        issuer::{Algorithm, Mapping as Texts},
        object::Object,
        scope::Scope,
    };

    use super::*;

    fn issuer(id: u8, organization: u8, condition: &str) -> Issuer {
        Issuer {
            id: IssuerId::from_bytes([id; 16]),
            organization: OrganizationId::from_bytes([organization; 16]),
            name: "corp".to_owned(),
            url: "https://id.example".to_owned(),
            keys_url: String::new(),
            audiences: vec![format!("for-{organization}")],
            algorithms: vec![Algorithm::Es256],
            types: Vec::new(),
            leeway_ms: 0,
            project: None,
            mapping: Texts {
                condition: condition.to_owned(),
                ..Texts::default()
            },
            scope: Scope::default(),
            disabled: false,
        }
    }

    fn rules(issuers: impl IntoIterator<Item = Issuer>) -> Rules {
        let mut rules = Rules::default();
        for issuer in issuers {
            rules.apply(Edit::Upsert(Object::Issuer(Box::new(issuer))));
        }
        rules
    }

    #[test]
    fn an_issuer_that_stays_as_it_is_stays_the_same_and_one_that_does_not_compile_maps_nothing() {
        let first = Issuers::of(
            &rules([issuer(1, 1, ""), issuer(2, 2, "claims.a")]),
            &Issuers::default(),
        );
        let second = Issuers::of(&rules([issuer(1, 1, ""), issuer(2, 2, "claims.")]), &first);
        assert!(!first.is_as(&second));
        let id = |number| IssuerId::from_bytes([number; 16]);
        assert!(first.holds(second.get(id(1)).unwrap()));
        assert!(!first.holds(second.get(id(2)).unwrap()));
        assert!(second.get(id(2)).unwrap().mapping.is_none());
        assert_eq!(second.at("https://id.example").len(), 2);
        assert!(second.at("https://id.example/").is_empty());
    }

    #[test]
    fn an_issuer_that_is_nowhere_is_no_token_s_and_nobody_is_told_of_it() {
        let nowhere = Issuer {
            url: "https://corp.invalid".to_owned(),
            ..issuer(1, 1, "")
        };
        let id = nowhere.id;
        let issuers = Issuers::of(&rules([nowhere]), &Issuers::default());
        assert!(issuers.get(id).is_some());
        assert!(issuers.at("https://corp.invalid").is_empty());
        assert_eq!(issuers.told("https://ai.example.com"), None);
    }

    #[test]
    fn who_issues_tokens_is_told_where_one_organization_alone_trusts_anybody() {
        let told = |issuers: Vec<Issuer>, resource: &str| {
            let issuers = Issuers::of(&rules(issuers), &Issuers::default());
            let told = issuers.told(resource)?;
            serde_json::from_slice::<serde_json::Value>(&told).ok()
        };
        let here = "https://ai.example.com";
        assert_eq!(told(Vec::new(), here), None);
        assert_eq!(told(vec![issuer(1, 1, "")], ""), None);
        let one = told(vec![issuer(1, 1, ""), issuer(2, 1, "")], here).unwrap();
        assert_eq!(
            one["authorization_servers"],
            serde_json::json!(["https://id.example"])
        );
        let two = told(vec![issuer(1, 1, ""), issuer(2, 2, "")], here).unwrap();
        assert_eq!(two["resource"], here);
        assert!(two.get("authorization_servers").is_none());
    }
}
