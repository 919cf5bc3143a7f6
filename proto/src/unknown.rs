//! Finds fields that a message carries and the contract does not know.
//!
//! The generated code drops them silently, which would let a typing error in an admin write pass as success.
//! So the bytes are read a second time, against the descriptors, nested messages included.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};

/// The descriptors of the contract, ready to be asked.
#[derive(Debug, Clone)]
pub struct Contract {
    pool: DescriptorPool,
}

/// What a message carries that it must not, or that it is no message at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The bytes do not decode as the method's request.
    Malformed,
    /// A field that the contract does not know: the path to its message, dotted, and its number.
    UnknownField {
        /// Where the message stands, such as `key.expire_time`; empty for the request itself.
        path: String,
        /// The number of the field.
        number: u32,
    },
}

impl Contract {
    /// Reads the descriptors that were compiled in. `None` cannot happen in a build whose tests ran.
    pub fn load() -> Option<Self> {
        DescriptorPool::decode(crate::DESCRIPTORS)
            .ok()
            .map(|pool| Self { pool })
    }

    /// The request message of a method, by the path of its HTTP/2 request: `/package.Service/Method`.
    pub fn request_of(&self, path: &str) -> Option<MessageDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        let method = service.methods().find(|it| it.name() == method)?;
        Some(method.input())
    }

    /// The text of the field at a dotted path of the message that `bytes` hold; empty where it is absent. `None` when
    /// they hold no such message, or the message no such field.
    pub fn text_at(&self, message: MessageDescriptor, bytes: &[u8], path: &str) -> Option<String> {
        let mut message = DynamicMessage::decode(message, bytes).ok()?;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let value = message.get_field_by_name(part)?.into_owned();
            message = match (value, parts.peek()) {
                (Value::String(text), None) => return Some(text),
                (Value::Message(inner), Some(_)) => inner,
                _ => return None,
            };
        }
        None
    }

    /// The JSON of what a method replied, without texts that are shown once; `None` when there is no such method, or the
    /// bytes are not its reply.
    pub fn reply_shown(&self, method: &str, bytes: &[u8]) -> Option<serde_json::Value> {
        let mut methods = self
            .pool
            .services()
            .flat_map(|it| it.methods().collect::<Vec<_>>());
        let method = methods.find(|it| it.name() == method)?;
        shown(method.output(), bytes)
    }

    /// The JSON of a message of the admin API, without texts that are shown once.
    pub fn shown(&self, message: &str, bytes: &[u8]) -> Option<serde_json::Value> {
        let name = format!("sluice.admin.v1.{message}");
        shown(self.pool.get_message_by_name(&name)?, bytes)
    }

    /// The paths of every method of every service of the admin API.
    pub fn admin_methods(&self) -> Vec<String> {
        let services = self.pool.services();
        let ours = services.filter(|it| it.package_name() == "sluice.admin.v1");
        let paths = |service: prost_reflect::ServiceDescriptor| {
            let name = service.full_name().to_owned();
            let methods = service.methods().map(|it| it.name().to_owned());
            methods
                .map(|it| format!("/{name}/{it}"))
                .collect::<Vec<_>>()
        };
        ours.flat_map(paths).collect()
    }

    /// Reads `bytes` as `message` and reports the first thing that must not be there.
    pub fn check(&self, message: MessageDescriptor, bytes: &[u8]) -> Result<(), Finding> {
        let decoded = DynamicMessage::decode(message, bytes).map_err(|_| Finding::Malformed)?;
        walk(&decoded, "")
    }
}

/// Fields that hold secrets, wherever they stand: the text of what is minted, and what we present to a provider.
const SECRET_FIELDS: [&str; 2] = ["text", "credential"];

fn shown(message: MessageDescriptor, bytes: &[u8]) -> Option<serde_json::Value> {
    let mut message = DynamicMessage::decode(message, bytes).ok()?;
    mask(&mut message);
    serde_json::to_value(&message).ok()
}

fn mask(message: &mut DynamicMessage) {
    for field in SECRET_FIELDS {
        message.clear_field_by_name(field);
    }
    let inner: Vec<_> = message
        .fields()
        .filter(|(_, value)| value.as_message().is_some())
        .map(|(field, _)| field)
        .collect();
    for field in inner {
        if let Value::Message(inner) = message.get_field_mut(&field) {
            mask(inner);
        }
    }
}

fn walk(message: &DynamicMessage, path: &str) -> Result<(), Finding> {
    if let Some(field) = message.unknown_fields().next() {
        return Err(Finding::UnknownField {
            path: path.to_owned(),
            number: field.number(),
        });
    }
    for (field, value) in message.fields() {
        let here = if path.is_empty() {
            field.name().to_owned()
        } else {
            format!("{path}.{}", field.name())
        };
        walk_value(value, &here)?;
    }
    Ok(())
}

fn walk_value(value: &Value, path: &str) -> Result<(), Finding> {
    match value {
        Value::Message(inner) => walk(inner, path),
        Value::List(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| walk_value(item, &format!("{path}[{at}]"))),
        Value::Map(entries) => entries.values().try_for_each(|item| walk_value(item, path)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::admin;

    fn check(bytes: &[u8]) -> Result<(), Finding> {
        let contract = Contract::load().unwrap();
        let path = "/sluice.admin.v1.OrganizationService/CreateOrganization";
        contract.check(contract.request_of(path).unwrap(), bytes)
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let contract = Contract::load().unwrap();
        let reply = admin::CreateKeyResponse {
            key: Some(admin::Key {
                name: "organizations/a/projects/b/keys/c".to_owned(),
                ..Default::default()
            }),
            text: "slc_live_secret".to_owned(),
        };
        let shown = contract.reply_shown("CreateKey", &reply.encode_to_vec());
        let shown = shown.unwrap().to_string();
        assert!(
            shown.contains("projects/b") && !shown.contains("secret"),
            "{shown}"
        );
        let provider = admin::Provider {
            name: "organizations/a/providers/p".to_owned(),
            credential: "sk-secret".to_owned(),
            ..Default::default()
        };
        let shown = contract.shown("Provider", &provider.encode_to_vec());
        assert!(!shown.unwrap().to_string().contains("secret"));
        assert_eq!(contract.reply_shown("NoMethod", &[]), None);
    }

    #[test]
    fn a_field_that_nobody_knows_is_found_at_any_depth() {
        let request = admin::CreateOrganizationRequest {
            organization_id: "acme".to_owned(),
            organization: Some(admin::Organization::default()),
            ..Default::default()
        };
        let mut bytes = request.encode_to_vec();
        assert_eq!(check(&bytes), Ok(()));
        bytes.extend([0xf8, 0x07, 0x01]); // field 127, varint 1
        let found = Finding::UnknownField {
            path: String::new(),
            number: 127,
        };
        assert_eq!(check(&bytes), Err(found));

        let nested = [0x0a, 0x01, b'a', 0x12, 0x03, 0xf8, 0x07, 0x01];
        let found = Finding::UnknownField {
            path: "organization".to_owned(),
            number: 127,
        };
        assert_eq!(check(&nested), Err(found));
        assert_eq!(check(&[0xff]), Err(Finding::Malformed));
    }
}
