//! What an operator may hold a key to, beside models that it names.
//!
//! Owns the bounds and the words; what a request must fulfil then is `policy::scope`'s.

use policy::{
    glob::Glob,
    region::Region,
    scope::{ENDPOINTS_MAX, PATTERNS_MAX, PROVIDERS_MAX, RANGES_MAX},
};

use crate::{name::ProviderName, region, segment::Slug, violation::Violations};

/// The most labels of a key.
pub const LABELS_MAX: usize = 32;

/// The longest name or value of a label, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 63;

/// What a key is held to beside the models that it names. A part that is empty holds nothing back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Models that it may ask for by what they are called.
    pub models: Vec<Glob>,
    /// The words of what it may ask, of [`ENDPOINTS`].
    pub endpoints: Vec<String>,
    /// Where its requests may go.
    pub providers: Vec<ProviderName>,
    /// The regions whose edges know it.
    pub regions: Vec<Region>,
    /// Where its requests may come from, as [`ranges`] gives them.
    pub ranges: Vec<String>,
    /// The most tokens that one request may be expected to use.
    pub request_tokens_max: Option<u64>,
}

/// The words of the endpoints that a key may be held to.
pub const ENDPOINTS: [&str; 12] = [
    "chat_completions",
    "completions",
    "embeddings",
    "responses",
    "messages",
    "generate_content",
    "count_tokens",
    "infer",
    "invoke",
    "models",
    "passthrough",
    "realtime",
];

/// Reads patterns of models.
pub fn patterns(texts: &[String], violations: &mut Violations) -> Vec<Glob> {
    each(
        "key.model_patterns",
        (texts, PATTERNS_MAX),
        violations,
        |text| Glob::parse(text).map_err(|why| why.to_string()),
    )
}

/// Reads words of endpoints.
pub fn endpoints(texts: &[String], violations: &mut Violations) -> Vec<String> {
    each(
        "key.endpoints",
        (texts, ENDPOINTS_MAX),
        violations,
        |text| {
            if ENDPOINTS.contains(&text) {
                Ok(text.to_owned())
            } else {
                Err(format!("must be one of {}", ENDPOINTS.join(", ")))
            }
        },
    )
}

/// Reads providers of `organization`.
pub fn providers(
    organization: &Slug,
    texts: &[String],
    violations: &mut Violations,
) -> Vec<ProviderName> {
    each(
        "key.providers",
        (texts, PROVIDERS_MAX),
        violations,
        |text| {
            let name = ProviderName::parse(text).map_err(|why| why.to_string())?;
            if name.organization == *organization {
                Ok(name)
            } else {
                Err("must be a provider of the same organization".to_owned())
            }
        },
    )
}

/// Reads regions.
pub fn regions(texts: &[String], violations: &mut Violations) -> Vec<Region> {
    region::list(texts, "key.regions", violations)
}

/// Reads ranges of addresses, and gives them as they are kept.
pub fn ranges(texts: &[String], violations: &mut Violations) -> Vec<String> {
    each("key.ip_ranges", (texts, RANGES_MAX), violations, |text| {
        let range = policy::scope::range(text);
        range.map(|it| it.to_string()).ok_or_else(|| {
            "must be an address or a range such as 10.0.0.0/8, without bits behind the prefix"
                .to_owned()
        })
    })
}

/// Reads labels, in the order of their names.
pub fn labels<'a>(
    given: impl IntoIterator<Item = (&'a String, &'a String)>,
    violations: &mut Violations,
) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        let fits = |text: &str| {
            text.chars().count() <= LABEL_CHARACTERS_MAX && !text.chars().any(char::is_control)
        };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if name.is_empty() || !name.bytes().all(letter) || !fits(name) || !fits(value) {
            violations.add(
                "key.labels",
                format!(
                    "a name must be letters, digits, `.`, `_`, `-` and `/`, and neither it nor its value longer than \
                     {LABEL_CHARACTERS_MAX} characters"
                ),
            );
            return Vec::new();
        }
        labels.push((name.clone(), value.clone()));
    }
    if labels.len() > LABELS_MAX {
        violations.add("key.labels", format!("must hold at most {LABELS_MAX}"));
    }
    labels.sort();
    labels
}

/// Reads a list whose items stand there once.
fn each<T: PartialEq>(
    field: &str,
    (texts, max): (&[String], usize),
    violations: &mut Violations,
    read: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    if texts.len() > max {
        violations.add(field, format!("must hold at most {max}"));
        return Vec::new();
    }
    let mut items: Vec<T> = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        match violations.take(&field, read(text)) {
            Some(item) if items.contains(&item) => violations.add(field, "must stand there once"),
            Some(item) => items.push(item),
            None => {}
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    fn fields(violations: Violations) -> Vec<String> {
        let violations = violations.into_vec();
        violations.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn each_item_that_is_wrong_is_named() {
        let mut violations = Violations::new();
        patterns(&texts(["gpt-*", "a b", "gpt-*"]), &mut violations);
        endpoints(&texts(["embeddings", "everything"]), &mut violations);
        let acme = Slug::parse("acme").unwrap();
        let names = [
            "organizations/acme/providers/p",
            "organizations/evil/providers/p",
        ];
        assert_eq!(providers(&acme, &texts(names), &mut violations).len(), 1);
        let kept = ranges(
            &texts(["10.1.2.3", "10.0.0.0/8", "10.0.0.1/8"]),
            &mut violations,
        );
        assert_eq!(kept, ["10.1.2.3/32", "10.0.0.0/8"]);
        let expected = [
            "key.model_patterns[1]",
            "key.model_patterns[2]",
            "key.endpoints[1]",
            "key.providers[1]",
            "key.ip_ranges[2]",
        ];
        assert_eq!(fields(violations), expected);
    }

    #[test]
    fn labels_are_short_and_in_order() {
        let mut violations = Violations::new();
        let given = [("team", "web"), ("env", "prod")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let read = labels(given.iter().map(|it| (&it.0, &it.1)), &mut violations);
        assert_eq!(read[0].0, "env");
        let given = ("a b".to_owned(), String::new());
        labels([(&given.0, &given.1)], &mut violations);
        assert_eq!(fields(violations), ["key.labels"]);
    }
}
