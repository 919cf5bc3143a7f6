//! What must be true of a provider.

use policy::{handling::Handling, provider::ProviderKind, region::Region};

use crate::{
    base_url::{self, BaseUrl},
    exchange_origin, handling, mapping, region, text,
    violation::Violations,
};

/// A provider as an operator wants it, unchecked.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What people call it.
    pub display_name: &'a str,
    /// Its kind.
    pub kind: ProviderKind,
    /// Where it stands; empty means: the default of its kind.
    pub base_url: &'a str,
    /// The regions whose edges may use it; empty means: every one.
    pub regions: &'a [String],
    /// Whether `stream_options.include_usage` may be sent; `None` means: the default of its kind.
    pub stream_options: Option<bool>,
    /// Where its credential may be exchanged for a token, beside where its kind does.
    pub exchange_origins: &'a [String],
    /// How it is asked and read; `None` means: as its kind says.
    pub mapping: Option<mapping::Wanted>,
    /// Whether any path of its API may be reached by passing through.
    pub passthrough: bool,
    /// What it does with what it is sent.
    pub handling: Handling,
}

/// A provider as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What people call it.
    pub display_name: String,
    /// Its kind.
    pub kind: ProviderKind,
    /// Where it stands.
    pub base_url: BaseUrl,
    /// The regions whose edges may use it; empty means: every one.
    pub regions: Vec<Region>,
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_options: bool,
    /// Where its credential may be exchanged for a token, beside where its kind does.
    pub exchange_origins: Vec<String>,
    /// How it is asked and read; for a custom one, and for none else.
    pub mapping: Option<mapping::Checked>,
    /// Whether any path of its API may be reached by passing through.
    pub passthrough: bool,
    /// What it does with what it is sent.
    pub handling: Handling,
}

// === impl Wanted ===

impl Wanted<'_> {
    /// Checks every field.
    pub fn check(self) -> Result<Checked, Violations> {
        let mut violations = Violations::new();
        let display_name = violations.take(
            "provider.display_name",
            text::display_name(self.display_name),
        );
        let base_url = violations.take(
            "provider.base_url",
            base_url::resolve(self.kind, self.base_url),
        );
        let regions = region::list(self.regions, "provider.regions", &mut violations);
        let field = "provider.exchange_origins";
        let exchange_origins = exchange_origin::list(self.exchange_origins, field, &mut violations);
        let mapping = match (self.kind, self.mapping) {
            (ProviderKind::Custom, wanted) => {
                mapping::check(wanted.unwrap_or_default(), &mut violations)
            }
            (_, Some(_)) => {
                violations.add(
                    "provider.custom",
                    "is only for a provider of the custom kind",
                );
                None
            }
            (_, None) => None,
        };
        let handling = handling::handling(self.handling, &mut violations);
        let (true, Some(display_name), Some(base_url)) =
            (violations.is_empty(), display_name, base_url)
        else {
            return Err(violations);
        };
        let stream_options = self
            .stream_options
            .unwrap_or_else(|| self.kind.preset().stream_options);
        Ok(Checked {
            display_name,
            kind: self.kind,
            base_url,
            regions,
            stream_options,
            exchange_origins,
            mapping,
            passthrough: self.passthrough,
            handling,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_fills_in_what_the_operator_left_out() {
        let wanted = Wanted {
            display_name: "",
            kind: ProviderKind::Mistral,
            base_url: "",
            regions: &[],
            stream_options: None,
            exchange_origins: &[],
            mapping: None,
            passthrough: false,
            handling: Handling::default(),
        };
        let checked = wanted.clone().check().unwrap();
        assert_eq!(checked.base_url.origin(), "https://api.mistral.ai:443");
        assert!(!checked.stream_options);
        assert!(
            Wanted {
                stream_options: Some(true),
                ..wanted
            }
            .check()
            .unwrap()
            .stream_options
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wanted = Wanted {
            display_name: &"x".repeat(201),
            kind: ProviderKind::Vllm,
            base_url: "",
            regions: &["EU".to_owned()],
            stream_options: None,
            exchange_origins: &[],
            mapping: Some(mapping::Wanted::default()),
            passthrough: false,
            handling: Handling::default(),
        };
        let fields: Vec<_> = wanted
            .check()
            .unwrap_err()
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(
            fields,
            [
                "provider.display_name",
                "provider.base_url",
                "provider.regions[0]",
                "provider.custom"
            ]
        );
    }
}
