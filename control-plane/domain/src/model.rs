//! What must be true of a model.

use crate::name::{ModelName, VersionName};

/// The stable version that an operator names for a model; empty text means: none. Only a version of this same
/// model can serve it.
pub fn stable_version(model: &ModelName, text: &str) -> Result<Option<VersionName>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let version = VersionName::parse(text).map_err(|why| why.to_string())?;
    if version.parent() == *model {
        Ok(Some(version))
    } else {
        Err("must be a version of this model".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_served_by_its_own_versions_only() {
        let model = ModelName::parse("organizations/acme/models/chat").unwrap();
        let own = "organizations/acme/models/chat/versions/v1";
        assert_eq!(
            stable_version(&model, own),
            Ok(Some(VersionName::parse(own).unwrap()))
        );
        assert_eq!(stable_version(&model, ""), Ok(None));
        assert!(stable_version(&model, "organizations/acme/models/other/versions/v1").is_err());
        assert!(stable_version(&model, "organizations/evil/models/chat/versions/v1").is_err());
        assert!(stable_version(&model, "v1").is_err());
    }
}
