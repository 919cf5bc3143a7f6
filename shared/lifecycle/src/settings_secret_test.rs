//! That a secret comes from one place, and shows itself in none.

use std::fs;

use super::{
    tests::{refusal, settings},
    *,
};

#[test]
fn no_mistake_about_a_secret_shows_it() {
    let mistakes = [
        refusal("[seal]\nkey = 1234567", &[]),
        refusal("[seal]\nkey = [\"1234567\"]", &[]),
        refusal("[seal]\nkey = 1234567x", &[]),
        refusal("seal = \"1234567\"", &[]),
        refusal("[seal.key]\ninner = \"1234567\"", &[]),
        refusal("", &[("SLUICE_SEAL", "1234567")]),
        refusal("", &[("SLUICE_SEAL__KEY__INNER", "1234567")]),
        refusal("", &[("SLUICE_SEAL__KY", "1234567")]),
    ];
    for told in mistakes {
        assert!(!told.contains("1234567"), "{told}");
    }
    let read = settings("[seal]\nkey = \"1234567\"", &[]).unwrap();
    assert!(
        format!("{read:?}").contains("key: Some([redacted])"),
        "{read:?}"
    );
}

#[test]
fn a_secret_comes_from_one_of_two_places() {
    let directory = tempfile::tempdir().unwrap();
    let (path, empty) = (directory.path().join("key"), directory.path().join("empty"));
    fs::write(&path, "from file\n").unwrap();
    fs::write(&empty, "\n").unwrap();
    let inline = || Some(Secret::from("inline".to_owned()));
    let told = |inline, file| match secret(&inline, &file, "seal.key") {
        Ok(found) => found
            .map(|secret| secret.expose().to_owned())
            .unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    assert_eq!(told(None, None), "");
    assert_eq!(told(inline(), None), "inline");
    assert_eq!(told(None, Some(path.clone())), "from file");
    assert!(told(inline(), Some(path)).starts_with("seal.key: both seal.key and seal.key_file"));
    assert!(told(None, Some(empty)).starts_with("seal.key: it is empty"));
    assert!(told(Some(String::new().into()), None).starts_with("seal.key: it is empty"));
    assert!(told(None, Some(directory.path().join("none"))).starts_with("cannot read "));
}
