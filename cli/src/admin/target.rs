//! `PROVIDER=MODEL` or `WEIGHT*PROVIDER=MODEL`: where a version sends requests.

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
    /// Its share among those that have one; zero means: none.
    pub weight: i32,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A model's name may hold `=`, a provider's cannot.
        let wrong =
            "write PROVIDER=MODEL, such as openai=gpt-4o, or 3*PROVIDER=MODEL with its weight";
        let (provider, model) = text.split_once('=').ok_or(wrong)?;
        let (weight, provider) = match provider.split_once('*') {
            Some((weight, provider)) => (weight.parse::<u16>().map_err(|_| wrong)?, provider),
            None => (0, provider),
        };
        if provider.is_empty() || model.is_empty() {
            return Err(wrong.to_owned());
        }
        Ok(Self {
            provider: provider.to_owned(),
            provider_model: model.to_owned(),
            weight: weight.into(),
        })
    }
}

impl Target {
    /// The target with its provider's whole name.
    pub fn wire(self, place: &Place) -> Result<admin::Target, Failure> {
        let provider = place.name(noun::PROVIDER.collections, &self.provider)?;
        Ok(admin::Target {
            provider,
            provider_model: self.provider_model,
            weight: self.weight,
            capabilities: None,
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
        let weighed: Target = "70*openai=gpt-4o".parse().unwrap();
        assert_eq!((weighed.provider.as_str(), weighed.weight), ("openai", 70));
        for wrong in [
            "openai",
            "=gpt",
            "openai=",
            "",
            "3*=gpt",
            "x*openai=gpt",
            "-1*a=b",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
