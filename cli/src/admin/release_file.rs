//! A version as a file says it, for CI: what it is, and a name that hangs on that and on nothing else.
//!
//! TOML. Whoever writes another provenance gets the same version; whoever changes anything that a request could notice
//! gets another one.

use std::path::{Path, PathBuf};

use prost::Message;
use proto::admin::{self, ModelVersion};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    admin::{ability::Capabilities, balance::Routing, recipe::Recipe, target::Target, text_file},
    failure::Failure,
    place::Place,
};

/// What a file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    model: String,
    target: Vec<WrittenTarget>,
    #[serde(default)]
    routing: Routing,
    #[serde(default)]
    provenance: std::collections::HashMap<String, String>,
    transform_file: Option<PathBuf>,
    header_file: Option<PathBuf>,
    sample_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    provider: String,
    model: String,
    #[serde(default)]
    weight: u16,
    #[serde(default)]
    capabilities: Capabilities,
}

/// A version that is to stand.
#[derive(Debug)]
pub struct Wanted {
    /// The model, as the file names it.
    pub model: String,
    /// The id of the version: `v` and the first twelve digits of its digest.
    pub id: String,
    /// The version.
    pub version: ModelVersion,
}

/// Reads a file. What it names stands beside it.
pub fn read(path: &Path, place: &Place) -> Result<Wanted, Failure> {
    let wrong = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let written: Written =
        toml::from_str(&text_file::read(path)?).map_err(|why| wrong(why.to_string()))?;
    let beside = |file: Option<PathBuf>| {
        let folder = path.parent().unwrap_or(Path::new(""));
        file.map(|it| folder.join(it))
    };
    let recipe = Recipe::of_files(
        beside(written.transform_file),
        beside(written.header_file),
        beside(written.sample_file),
    );
    let targets = written.target.into_iter().map(|it| {
        let target = Target {
            provider: it.provider,
            provider_model: it.model,
            weight: it.weight.into(),
        };
        Ok(admin::Target {
            capabilities: it.capabilities.wire(),
            ..target.wire(place)?
        })
    });
    let version = ModelVersion {
        targets: targets.collect::<Result<_, Failure>>()?,
        ..written.routing.of(recipe.version()?)
    };
    let id = id(&version);
    Ok(Wanted {
        model: written.model,
        id,
        version: ModelVersion {
            provenance: written.provenance,
            ..version
        },
    })
}

/// Hangs on all that the version holds. No map is in it, so that its bytes are always the same.
fn id(version: &ModelVersion) -> String {
    let digest = Sha256::digest(version.encode_to_vec());
    let digits = digest.iter().take(6).map(|byte| format!("{byte:02x}"));
    format!("v{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Wanted, Failure> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("chat.toml");
        std::fs::write(&path, text).expect("a file can be written");
        let place = Place {
            organization: Some("acme".to_owned()),
            project: None,
        };
        read(&path, &place)
    }

    const FILE: &str = "model = 'chat'\n[[target]]\nprovider = 'openai'\nmodel = 'gpt-4o'\n";

    #[test]
    fn the_same_version_has_the_same_name_wherever_it_comes_from() {
        let one = written(FILE).unwrap();
        let other = written(&format!("{FILE}[provenance]\ngit_sha = 'abc'\n")).unwrap();
        assert_eq!(one.id, other.id);
        assert_eq!(one.id.len(), 13);
        assert_eq!(other.version.provenance["git_sha"], "abc");
        let able =
            format!("{FILE}capabilities = {{ context_tokens = 8192, cannot = ['tools'] }}\n");
        let able = written(&able).unwrap();
        assert_ne!(one.id, able.id);
        let said = able.version.targets[0].capabilities.clone().unwrap();
        assert_eq!((said.context_tokens, said.cannot), (8_192, vec![5]));
        let another = written(&FILE.replace("gpt-4o", "gpt-4.1")).unwrap();
        assert_ne!(one.id, another.id);
    }

    #[test]
    fn a_word_that_nobody_knows_is_refused() {
        for wrong in [
            FILE.replace("provider", "provder"),
            format!("wieght = 1\n{FILE}"),
            "model = 'chat'".to_owned(),
        ] {
            assert!(written(&wrong).is_err(), "{wrong}");
        }
    }
}
