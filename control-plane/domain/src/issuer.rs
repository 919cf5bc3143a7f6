//! What must be true of an issuer of clients' tokens.
//!
//! Its URL is compared to the letter with what tokens say, so it is kept as it was given. Which addresses may be dialled is
//! the edge's to judge.

use claims::mapping::Mapping as Compiled;
use policy::issuer::{AUDIENCES_MAX, Algorithm, LEEWAY_MAX_MS, LEEWAY_MS, Mapping, TYPES_MAX};

use crate::{
    base_url, key_scope::Scope, name::ProjectName, segment::Slug, text, violation::Violations,
};

/// The longest audience, in characters.
pub const AUDIENCE_CHARACTERS_MAX: usize = 255;

/// The longest type of a token, in characters.
pub const TYPE_CHARACTERS_MAX: usize = 64;

/// The algorithms of an issuer for which an operator names none.
const USUAL: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

/// An issuer as an operator wants it, unchecked.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Whose it is.
    pub organization: &'a Slug,
    /// What people call it.
    pub display_name: &'a str,
    /// What tokens say in `iss`.
    pub url: &'a str,
    /// Where its keys are; empty means: where its discovery document says.
    pub keys_url: &'a str,
    /// What tokens must be for.
    pub audiences: &'a [String],
    /// How tokens may be signed; none means: RS256 or ES256.
    pub algorithms: &'a [String],
    /// What `typ` may say; none means: what is usual.
    pub types: &'a [String],
    /// How much clocks may differ, in milliseconds; `None` means: as is usual.
    pub leeway_ms: Option<u64>,
    /// The project of all tokens; empty means: as the mapping says.
    pub project: &'a str,
    /// What claims mean.
    pub mapping: Mapping,
    /// What tokens open at most.
    pub scope: Scope,
    /// Whether no token is taken for now.
    pub disabled: bool,
}

/// An issuer as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What people call it.
    pub display_name: String,
    /// What tokens say in `iss`.
    pub url: String,
    /// Where its keys are; empty means: where its discovery document says.
    pub keys_url: String,
    /// What tokens must be for.
    pub audiences: Vec<String>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may say; none means: what is usual.
    pub types: Vec<String>,
    /// How much clocks may differ, in milliseconds.
    pub leeway_ms: u64,
    /// The project of all tokens; `None` means: as the mapping says.
    pub project: Option<ProjectName>,
    /// What claims mean.
    pub mapping: Mapping,
    /// What tokens open at most.
    pub scope: Scope,
    /// Whether no token is taken for now.
    pub disabled: bool,
}

// === impl Wanted ===

impl Wanted<'_> {
    /// Checks every field; what is wrong is added to `violations`.
    pub fn check(self, violations: &mut Violations) -> Option<Checked> {
        let before = violations.clone();
        let display_name =
            violations.take("issuer.display_name", text::display_name(self.display_name));
        violations.take("issuer.issuer_url", url(self.url, false));
        if !self.keys_url.is_empty() {
            violations.take("issuer.keys_url", url(self.keys_url, true));
        }
        texts(
            ("issuer.audiences", self.audiences),
            (1, AUDIENCES_MAX, AUDIENCE_CHARACTERS_MAX),
            violations,
        );
        texts(
            ("issuer.token_types", self.types),
            (0, TYPES_MAX, TYPE_CHARACTERS_MAX),
            violations,
        );
        let algorithms = algorithms(self.algorithms, violations);
        let leeway_ms = self.leeway_ms.unwrap_or(LEEWAY_MS);
        if leeway_ms > LEEWAY_MAX_MS {
            violations.add("issuer.leeway", "must be at most 60 seconds");
        }
        let project = self.project(violations);
        if let Err((field, why)) = Compiled::compile(&self.mapping) {
            violations.add(format!("issuer.{field}"), why.to_string());
        }
        if *violations != before {
            return None;
        }
        Some(Checked {
            display_name: display_name?,
            url: self.url.to_owned(),
            keys_url: self.keys_url.to_owned(),
            audiences: self.audiences.to_vec(),
            algorithms,
            types: self.types.to_vec(),
            leeway_ms,
            project,
            mapping: self.mapping,
            scope: self.scope,
            disabled: self.disabled,
        })
    }

    fn project(&self, violations: &mut Violations) -> Option<ProjectName> {
        let field = "issuer.project";
        match (self.project, self.mapping.project.as_str()) {
            ("", "") => {
                violations.add(field, "is required, or project_expression is");
                None
            }
            ("", _) => None,
            (_, said) if !said.is_empty() => {
                violations.add(field, "must be empty where there is a project_expression");
                None
            }
            (name, _) => {
                let project = violations.take(field, ProjectName::parse(name))?;
                if project.organization != *self.organization {
                    violations.add(field, "must be a project of the same organization");
                }
                Some(project)
            }
        }
    }
}

fn algorithms(names: &[String], violations: &mut Violations) -> Vec<Algorithm> {
    if names.is_empty() {
        return USUAL.to_vec();
    }
    let mut algorithms = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let field = format!("issuer.algorithms[{at}]");
        match Algorithm::named(name) {
            None => violations.add(
                field,
                "must be RS256, PS256, ES256, ES384 or EdDSA: nothing unsigned, and no secret that both sides know",
            ),
            Some(it) if algorithms.contains(&it) => violations.add(field, "must stand there once"),
            Some(it) => algorithms.push(it),
        }
    }
    algorithms
}

/// Some texts, each filled and there once.
pub(crate) fn texts(
    (field, given): (&str, &[String]),
    (min, max, characters_max): (usize, usize, usize),
    violations: &mut Violations,
) {
    if !(min..=max).contains(&given.len()) {
        violations.add(field, format!("must hold {min} to {max}"));
        return;
    }
    for (at, one) in given.iter().enumerate() {
        let field = format!("{field}[{at}]");
        violations.take(&field, text::filled(one, characters_max));
        if given.iter().take(at).any(|it| it == one) {
            violations.add(field, "must stand there once");
        }
    }
}

/// https, or http to this machine; a slash at the end is part of an issuer's name.
pub(crate) fn url(given: &str, may_query: bool) -> Result<(), String> {
    let (path, query) = match given.split_once('?') {
        Some((path, query)) if may_query => (path, query),
        _ => (given, ""),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    if given.len() > base_url::BASE_URL_BYTES_MAX || !query.bytes().all(letter) {
        return Err("is too long, or holds what must not stand in a query".to_owned());
    }
    let read = base_url::parse(path.strip_suffix('/').unwrap_or(path));
    let origin = read.map_err(|why| why.to_string())?.origin().to_owned();
    let here = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
    if origin.starts_with("https://") || here.iter().any(|it| origin.starts_with(it)) {
        Ok(())
    } else {
        Err("must be https".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(spoil: impl Fn(&mut Wanted<'_>)) -> Vec<String> {
        let organization = Slug::parse("acme").unwrap();
        let audiences = ["sluice".to_owned()];
        let mut wanted = Wanted {
            organization: &organization,
            display_name: "",
            url: "https://id.example/",
            keys_url: "",
            audiences: &audiences,
            algorithms: &[],
            types: &[],
            leeway_ms: None,
            project: "organizations/acme/projects/web",
            mapping: Mapping::default(),
            scope: Scope::default(),
            disabled: false,
        };
        spoil(&mut wanted);
        let mut violations = Violations::new();
        let checked = wanted.check(&mut violations);
        assert_eq!(checked.is_some(), violations.is_empty());
        violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect()
    }

    #[test]
    fn each_field_that_is_wrong_is_named() {
        assert_eq!(fields(|_| {}), [""; 0]);
        for url in [
            "http://id.example",
            "id.example",
            "https://a@b",
            "https://id.example/?x=1",
            "https://a//",
        ] {
            assert_eq!(fields(|it| it.url = url), ["issuer.issuer_url"], "{url}");
        }
        assert_eq!(
            fields(|it| it.url = "http://127.0.0.1:8080/realms/a"),
            [""; 0]
        );
        assert_eq!(
            fields(|it| it.keys_url = "https://id.example/keys?p=b2c"),
            [""; 0]
        );
        assert_eq!(fields(|it| it.audiences = &[]), ["issuer.audiences"]);
        assert_eq!(fields(|it| it.project = ""), ["issuer.project"]);
        let foreign = "organizations/evil/projects/web";
        assert_eq!(fields(|it| it.project = foreign), ["issuer.project"]);
        assert_eq!(fields(|it| it.leeway_ms = Some(60_001)), ["issuer.leeway"]);
        let wrong = |it: &mut Wanted<'_>| it.mapping.condition = "claims.a ==".to_owned();
        assert_eq!(fields(wrong), ["issuer.condition"]);
        let unknown = |it: &mut Wanted<'_>| it.mapping.end_user = "token.sub".to_owned();
        assert_eq!(fields(unknown), ["issuer.end_user_expression"]);
        let secret = ["HS256".to_owned(), "none".to_owned()];
        let refused = fields(|it| it.algorithms = Box::leak(Box::new(secret.clone())));
        assert_eq!(refused, ["issuer.algorithms[0]", "issuer.algorithms[1]"]);
    }
}
