//! `PROVIDER=MODEL`: where a version sends requests.

use std::str::FromStr;

use proto::admin;

use crate::{failure::Failure, noun, place::Place};

/// A target as it is written on a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider, by id or whole name.
    pub provider: String,
    /// The name by which it knows the model.
    pub provider_model: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A model's name may hold `=`, a provider's cannot.
        match text.split_once('=') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => Ok(Self {
                provider: provider.to_owned(),
                provider_model: model.to_owned(),
            }),
            _ => Err("write PROVIDER=MODEL, such as openai=gpt-4o".to_owned()),
        }
    }
}

impl Target {
    /// The target with its provider's whole name.
    pub fn wire(self, place: &Place) -> Result<admin::Target, Failure> {
        let provider = place.name(noun::PROVIDER.collections, &self.provider)?;
        Ok(admin::Target {
            provider,
            provider_model: self.provider_model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_at_the_first_equals_sign() {
        let target: Target = "openai=ft:gpt=1".parse().unwrap();
        assert_eq!(
            (target.provider.as_str(), target.provider_model.as_str()),
            ("openai", "ft:gpt=1")
        );
        for wrong in ["openai", "=gpt", "openai=", ""] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
