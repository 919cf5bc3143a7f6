//! The mappings of custom providers, compiled when policy is put in force, so that no request waits for that.
//!
//! Knows programs and headers; knows nothing of what a request does with them. A mapping that does not compile here, which
//! the control plane refuses, leaves its provider without one, and requests to it are refused.

use std::{collections::HashMap, sync::Arc};

use dialect::custom;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use payload::jq::{Fault, Program};
use policy::{
    id::ProviderId,
    mapping::{self, Mapping},
    provider::Provider,
    rules::Rules,
};
use tracing::warn;

/// A mapping, ready for use.
#[derive(Debug)]
pub struct Custom {
    /// The method of a request.
    pub method: Method,
    /// What stands behind the base URL; `{model}` in it is the provider's name for the model.
    pub path: String,
    /// Headers of every request.
    pub headers: HeaderMap,
    /// The header that takes the credential as it is; `None` means: the one for most providers.
    pub credential_header: Option<HeaderName>,
    /// Whether it answers as a chat model, too.
    pub chat: bool,
    /// Its programs.
    pub programs: custom::Mapping,
}

/// Those of a whole configuration: as many as it has custom providers.
#[derive(Debug, Default)]
pub struct Mappings(HashMap<ProviderId, Known>);

/// A provider, and its mapping if that compiles.
type Known = (Arc<Provider>, Option<Arc<Custom>>);

// === impl Mappings ===

impl Mappings {
    /// Those of a configuration. What stood `before` is not compiled again.
    pub fn of(rules: &Rules, before: &Self) -> Self {
        let custom = rules.providers().filter_map(|provider| {
            provider.mapping.as_ref()?;
            let ready = before.get(provider);
            Some((provider.id, (Arc::clone(provider), ready)))
        });
        Self(custom.collect())
    }

    /// The mapping of a provider. One of another revision than this is compiled for the one request that still has it.
    pub fn get(&self, provider: &Arc<Provider>) -> Option<Arc<Custom>> {
        match self.0.get(&provider.id) {
            Some((of, ready)) if Arc::ptr_eq(of, provider) || of.mapping == provider.mapping => {
                ready.clone()
            }
            _ => compile(provider),
        }
    }
}

fn compile(provider: &Provider) -> Option<Arc<Custom>> {
    let ready = custom(provider.mapping.as_deref()?);
    if ready.is_none() {
        warn!(provider = %provider.name, "its mapping cannot be used by this build");
    }
    ready.map(Arc::new)
}

fn custom(mapping: &Mapping) -> Option<Custom> {
    let mut headers = HeaderMap::with_capacity(mapping.headers.len());
    for (name, value) in &mapping.headers {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        headers.insert(name, HeaderValue::try_from(value.as_str()).ok()?);
    }
    let credential_header = match mapping.credential_header.as_str() {
        "" => None,
        name => Some(HeaderName::try_from(name).ok()?),
    };
    let programs = &mapping.programs;
    Some(Custom {
        method: match mapping.method {
            mapping::Method::Post => Method::POST,
            mapping::Method::Put => Method::PUT,
            mapping::Method::Patch => Method::PATCH,
        },
        path: mapping.path.clone(),
        headers,
        credential_header,
        chat: mapping.chat,
        programs: custom::Mapping {
            request: program(&programs.request).ok()?,
            response: program(&programs.response).ok()?,
            error: program(&programs.error).ok()?,
            usage: program(&programs.usage).ok()?,
        },
    })
}

/// The program of a text; none of an empty one.
fn program(text: &str) -> Result<Option<Program>, Fault> {
    match text {
        "" => Ok(None),
        text => Program::compile(text).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use policy::{
        change::Edit,
        id::OrganizationId,
        mapping::Programs,
        object::Object,
        provider::{Provider, ProviderKind},
    };

    use super::*;

    fn provider(name: &str, request: &str) -> Provider {
        Provider {
            id: ProviderId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: name.to_owned(),
            kind: ProviderKind::Custom,
            base_url: "http://example.com".to_owned(),
            stream_options: false,
            credential_required: false,
            passthrough: false,
            handling: policy::handling::Handling::default(),
            mapping: Some(Box::new(Mapping {
                headers: vec![("x-version".to_owned(), "3".to_owned())],
                programs: Programs {
                    request: request.to_owned(),
                    ..Programs::default()
                },
                ..Mapping::default()
            })),
        }
    }

    /// The mapping of the only provider, when this provider is put in force.
    fn put(of: Provider, before: &Mappings) -> (Mappings, Option<Arc<Custom>>) {
        let mut rules = Rules::default();
        rules.apply(Edit::Upsert(Object::Provider(of)));
        let mappings = Mappings::of(&rules, before);
        let found = rules.providers().find_map(|it| mappings.get(it));
        (mappings, found)
    }

    #[test]
    fn a_mapping_is_compiled_when_it_is_new_and_never_again() {
        let (mappings, first) = put(provider("a", "{a: .}"), &Mappings::default());
        let (mappings, renamed) = put(provider("b", "{a: .}"), &mappings);
        let (_, changed) = put(provider("b", "{b: .}"), &mappings);
        let [first, renamed, changed] = [first, renamed, changed].map(Option::unwrap);
        assert!(Arc::ptr_eq(&first, &renamed));
        assert!(!Arc::ptr_eq(&first, &changed));
        assert_eq!(first.headers["x-version"], "3");
        assert_eq!(*changed.programs.request(b"1").unwrap(), *b"{\"b\":1}");
        let late = mappings.get(&Arc::new(provider("b", "{late: .}"))).unwrap();
        assert_eq!(*late.programs.request(b"1").unwrap(), *b"{\"late\":1}");
    }

    #[test]
    fn a_mapping_that_does_not_compile_here_is_none() {
        assert!(put(provider("a", "{a: "), &Mappings::default()).1.is_none());
    }
}
