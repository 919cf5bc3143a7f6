//! Sources of versions: what an operator may ask of one, and what becomes of what a registry says.
//!
//! Pure: what a registry was found to point at goes in, and the target, the provenance and the name of a version come out.

use std::{collections::BTreeMap, fmt};

use policy::capability::Capabilities;

use crate::{
    base_url::{self, BaseUrl},
    name::{ModelName, OrganizationName, ProviderName, VersionSourceName},
    segment::Slug,
    text,
    version::{
        PROVENANCE_NAME_CHARACTERS_MAX, PROVENANCE_VALUE_CHARACTERS_MAX, PROVIDED_BY_SOURCE, Target,
    },
    violation::Violations,
};

/// The most labels.
pub const LABELS_MAX: usize = 16;

/// The longest PEM of authorities, in bytes.
pub const CA_PEM_BYTES_MAX: usize = 64 << 10;

/// How often it is asked, milliseconds: at most, unless somebody says, and at least.
pub const INTERVAL_MS: [u64; 3] = [1_000, 60_000, 24 * 3_600_000];

/// The longest name in a registry, in characters.
const SUBJECT_CHARACTERS_MAX: usize = 256;

/// The longest name of a user, in characters.
const USERNAME_CHARACTERS_MAX: usize = 200;

/// How much of a source's own id stands in the name of a version that its digest names.
const ID_IN_NAME_MAX: usize = 48;

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An alias in a model registry of MLflow.
    Mlflow {
        /// The name of the model there.
        registered_model: String,
        /// The alias.
        alias: String,
        /// As whom to sign in; empty: by a token.
        username: String,
    },
    /// An inference service of KServe.
    Kserve {
        /// Its namespace.
        namespace: String,
        /// Its name.
        inference_service: String,
    },
}

/// What a registry points at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What the registry calls the version.
    pub version: String,
    /// What tells it from every other version of the registry, also from one that has its name later: 64 hex digits.
    pub digest: String,
    /// The run that it came of; empty where none is known.
    pub run_id: String,
    /// Where its files are; empty where that is not known.
    pub artifact: String,
    /// Where it answers by itself: the address for everybody first. Empty where it is only a registry.
    pub endpoints: Vec<String>,
    /// Its tags or labels.
    pub tags: BTreeMap<String, String>,
}

/// A text with places that a version fills: `{name}`, `{version}` and `{tag.KEY}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPattern;

/// A source as an operator writes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a str,
    /// Where it is asked.
    pub url: &'a str,
    /// The registered model, the alias and the user's name.
    pub mlflow: Option<(&'a str, &'a str, &'a str)>,
    /// The namespace and the service.
    pub kserve: Option<(&'a str, &'a str)>,
    /// What is presented there.
    pub credential: &'a str,
    /// How often it is asked; `None` where that makes no sense, zero where nothing is said.
    pub interval_ms: Option<u64>,
    /// The provider.
    pub provider: &'a str,
    /// How it knows what is made.
    pub provider_model: &'a str,
}

/// A source as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The model whose versions are made.
    pub model: ModelName,
    /// Where it is asked.
    pub url: String,
    /// What is followed.
    pub origin: Origin,
    /// How often it is asked.
    pub interval_ms: u64,
    /// The provider of the target.
    pub provider: ProviderName,
    /// How it knows what is made.
    pub provider_model: Pattern,
    /// What is added to the provenance, sorted by name.
    pub labels: Vec<(String, String)>,
}

/// Why what a registry points at becomes no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It has no such tag.
    NoTag(String),
    /// What the provider would know it by is no name.
    NoName(text::InvalidText),
    /// It answers elsewhere than the provider does.
    Elsewhere {
        /// Where it answers.
        endpoint: String,
        /// Where the provider does.
        base_url: String,
    },
}

/// Checks a source that is to be made in an organization.
pub fn check<'a>(
    parent: &OrganizationName,
    asked: Asked<'_>,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Terms, Violations> {
    let mut violations = Violations::new();
    let organization = &parent.organization;
    let model = violations.take("version_source.model", ModelName::parse(asked.model));
    if model
        .as_ref()
        .is_some_and(|it| it.organization != *organization)
    {
        violations.add("version_source.model", "must be of the same organization");
    }
    let url = violations.take("version_source.url", base_url::parse(asked.url));
    let origin = check_origin(asked, &mut violations);
    if !asked.credential.is_empty() {
        let credential = text::credential(asked.credential);
        violations.take("version_source.credential", credential);
    }
    let [least, usual, most] = INTERVAL_MS;
    let interval_ms = match asked.interval_ms {
        Some(0) => Some(usual),
        given => given.filter(|it| (least..=most).contains(it)),
    };
    if interval_ms.is_none() {
        violations.add("version_source.interval", "must be 1 s to a day");
    }
    let provider = ProviderName::parse(asked.provider);
    let provider = violations.take("version_source.provider", provider);
    if provider
        .as_ref()
        .is_some_and(|it| it.organization != *organization)
    {
        violations.add(
            "version_source.provider",
            "must be of the same organization",
        );
    }
    let named = "version_source.provider_model";
    let written = violations.take(named, text::provider_model(asked.provider_model));
    let pattern = written.and_then(|it| violations.take(named, Pattern::parse(&it)));
    let labels = check_labels(labels, &mut violations);
    let (Some(model), Some(url), Some(origin), Some(interval_ms), Some(provider), Some(pattern)) =
        (model, url, origin, interval_ms, provider, pattern)
    else {
        return Err(violations);
    };
    violations.done()?;
    Ok(Terms {
        model,
        url: url.as_str().to_owned(),
        origin,
        interval_ms,
        provider,
        provider_model: pattern,
        labels,
    })
}

fn check_origin(asked: Asked<'_>, violations: &mut Violations) -> Option<Origin> {
    match (asked.mlflow, asked.kserve) {
        (Some((registered_model, alias, username)), None) => {
            let most = SUBJECT_CHARACTERS_MAX;
            let field = "version_source.mlflow.registered_model";
            let registered_model = violations.take(field, text::filled(registered_model, most));
            let alias = text::filled(alias, most);
            let alias = violations.take("version_source.mlflow.alias", alias);
            let field = "version_source.mlflow.username";
            let user = violations.take(field, text::within(username, USERNAME_CHARACTERS_MAX));
            if username.contains(':') {
                violations.add(field, "must not hold `:`");
            }
            if !username.is_empty() && asked.credential.is_empty() {
                let why = "must be set with a username: it is the password";
                violations.add("version_source.credential", why);
            }
            Some(Origin::Mlflow {
                registered_model: registered_model?.to_owned(),
                alias: alias?.to_owned(),
                username: user?.to_owned(),
            })
        }
        (None, Some((namespace, inference_service))) => {
            let mut label = |field: &str, text: &str| {
                let fits = is_label(text);
                if !fits {
                    let why = "must be 1 to 63 lower-case letters, digits and `-`";
                    violations.add(format!("version_source.kserve.{field}"), why);
                }
                fits.then(|| text.to_owned())
            };
            let namespace = label("namespace", namespace);
            let inference_service = label("inference_service", inference_service);
            Some(Origin::Kserve {
                namespace: namespace?,
                inference_service: inference_service?,
            })
        }
        _ => {
            violations.add("version_source", "must be either `mlflow` or `kserve`");
            None
        }
    }
}

/// A name of Kubernetes: nothing that could mean something in a path.
fn is_label(text: &str) -> bool {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fits)
}

fn check_labels<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    violations: &mut Violations,
) -> Vec<(String, String)> {
    const FIELD: &str = "version_source.labels";
    let mut checked: Vec<(String, String)> = Vec::new();
    for (name, value) in labels {
        let known = violations.take(FIELD, text::filled(name, PROVENANCE_NAME_CHARACTERS_MAX));
        let value = violations.take(FIELD, text::within(value, PROVENANCE_VALUE_CHARACTERS_MAX));
        if PROVIDED_BY_SOURCE.contains(&name) {
            violations.add(FIELD, format!("`{name}` is what the source itself says"));
        }
        if let (Some(name), Some(value)) = (known, value) {
            checked.push((name.to_owned(), value.to_owned()));
        }
    }
    if checked.len() > LABELS_MAX {
        violations.add(FIELD, format!("must hold at most {LABELS_MAX}"));
    }
    checked.sort();
    checked
}

/// What a text of others becomes in provenance: without control characters, and no longer than that may be.
fn plain(text: &str) -> String {
    let shown = text
        .chars()
        .map(|it| if it.is_control() { '\u{fffd}' } else { it });
    shown.take(PROVENANCE_VALUE_CHARACTERS_MAX).collect()
}

// === impl Origin ===

impl Origin {
    /// What is followed there, as people say it.
    pub fn subject(&self) -> String {
        match self {
            Self::Mlflow {
                registered_model, ..
            } => registered_model.clone(),
            Self::Kserve {
                namespace,
                inference_service,
            } => format!("{namespace}/{inference_service}"),
        }
    }

    /// The name that a pattern is filled with.
    fn name(&self) -> &str {
        match self {
            Self::Mlflow {
                registered_model, ..
            } => registered_model,
            Self::Kserve {
                inference_service, ..
            } => inference_service,
        }
    }

    /// The word for its kind.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Mlflow { .. } => "mlflow",
            Self::Kserve { .. } => "kserve",
        }
    }
}

// === impl Pattern ===

impl Pattern {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let inside = rest[at..].strip_prefix('{').ok_or(InvalidPattern)?;
            let (place, after) = inside.split_once('}').ok_or(InvalidPattern)?;
            let is_tag = |it: &str| it.strip_prefix("tag.").is_some_and(|key| !key.is_empty());
            if !(matches!(place, "name" | "version") || is_tag(place)) {
                return Err(InvalidPattern);
            }
            rest = after;
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn fill(&self, name: &str, seen: &Seen) -> Result<String, Unfit> {
        let (mut filled, mut rest) = (String::new(), self.0.as_str());
        while let Some((before, inside)) = rest.split_once('{') {
            let (place, after) = inside.split_once('}').unwrap_or((inside, ""));
            filled.push_str(before);
            filled.push_str(match place.strip_prefix("tag.") {
                None if place == "version" => &seen.version,
                None => name,
                Some(key) => {
                    let tag = seen.tags.get(key);
                    tag.ok_or_else(|| Unfit::NoTag(key.to_owned()))?
                }
            });
            rest = after;
        }
        filled.push_str(rest);
        text::provider_model(&filled).map_err(Unfit::NoName)
    }
}

// === impl Terms ===

impl Terms {
    /// Where requests of what is seen go. `base_url` is where its provider stands.
    pub fn target(&self, seen: &Seen, base_url: &str) -> Result<Target, Unfit> {
        if let Some(first) = seen.endpoints.first()
            && !seen.endpoints.iter().any(|it| stands_at(base_url, it))
        {
            return Err(Unfit::Elsewhere {
                endpoint: plain(first),
                base_url: base_url.to_owned(),
            });
        }
        Ok(Target {
            provider: self.provider.clone(),
            provider_model: self.provider_model.fill(self.origin.name(), seen)?,
            weight: 0,
            capabilities: Capabilities::default(),
        })
    }

    /// Where what is seen comes from, sorted by name.
    pub fn provenance(&self, name: &VersionSourceName, seen: &Seen) -> Vec<(String, String)> {
        let [
            source,
            registry,
            subject,
            version,
            digest,
            run_id,
            artifact,
            endpoint,
        ] = PROVIDED_BY_SOURCE;
        let endpoints = seen.endpoints.first().map_or("", String::as_str);
        let said = [
            (source, name.to_string().as_str()),
            (registry, &self.url),
            (subject, &self.origin.subject()),
            (version, &seen.version),
            (digest, &seen.digest),
            (run_id, &seen.run_id),
            (artifact, &seen.artifact),
            (endpoint, endpoints),
        ]
        .map(|(name, value)| (name.to_owned(), plain(value)));
        let said = said.into_iter().filter(|(_, value)| !value.is_empty());
        let mut all: Vec<_> = self.labels.iter().cloned().chain(said).collect();
        all.sort();
        all
    }
}

/// The names that a version of a registry may get, in order of preference: by what the registry calls it, and where that is taken
/// or none, by its digest.
pub fn slugs(source: &Slug, seen: &Seen) -> impl Iterator<Item = Slug> + use<> {
    let version = seen.version.to_ascii_lowercase();
    let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let version = version.replace(|it: char| !fits(it), "-");
    let id: String = source.as_str().chars().take(ID_IN_NAME_MAX).collect();
    let digest: String = seen.digest.chars().take(12).collect();
    [format!("{source}-{version}"), format!("{id}-{digest}")]
        .into_iter()
        .filter_map(|text| Slug::parse(&text).ok())
}

/// Whether a base URL is at an address or below it.
fn stands_at(base_url: &str, address: &str) -> bool {
    let read = |text: &str| base_url::parse(text.trim_end_matches('/'));
    let path = |it: &BaseUrl| {
        let (_, rest) = it.as_str().split_once("://").unwrap_or_default();
        rest.find('/').map_or("", |at| &rest[at..]).to_owned()
    };
    let (Ok(base), Ok(address)) = (read(base_url), read(address)) else {
        return false;
    };
    let below = path(&base);
    let below = below.strip_prefix(path(&address).as_str());
    base.origin() == address.origin()
        && below.is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("may hold `{name}`, `{version}` and `{tag.KEY}`, and no other braces")
    }
}

impl std::error::Error for InvalidPattern {}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTag(key) => write!(
                f,
                "it has no tag `{key}`, which names it at the provider: set that in the registry"
            ),
            Self::NoName(why) => write!(f, "its name at the provider {why}"),
            Self::Elsewhere { endpoint, base_url } => write!(
                f,
                "it answers at {endpoint} and its provider at {base_url}: set the provider's base URL to \
                 {endpoint}/openai/v1, or make another source with another provider"
            ),
        }
    }
}

impl std::error::Error for Unfit {}

#[cfg(test)]
#[path = "source_test.rs"]
mod tests;
