//! What a source may be, and what becomes of what a registry says.

use super::*;

fn parent() -> OrganizationName {
    OrganizationName::parse("organizations/acme").unwrap()
}

const ASKED: Asked<'_> = Asked {
    model: "organizations/acme/models/chat",
    url: "https://mlflow.example.com",
    mlflow: Some(("fraud", "champion", "")),
    kserve: None,
    credential: "",
    interval_ms: Some(0),
    provider: "organizations/acme/providers/vllm",
    provider_model: "{name}:{tag.served_as}",
};

fn checked(asked: Asked<'_>) -> Result<Terms, Vec<String>> {
    let checked = check(&parent(), asked, [("team", "risk")].into_iter());
    checked.map_err(|why| why.into_vec().into_iter().map(|it| it.field).collect())
}

fn seen(version: &str) -> Seen {
    Seen {
        version: version.to_owned(),
        digest: "ab".repeat(32),
        tags: BTreeMap::from([("served_as".to_owned(), "blue".to_owned())]),
        ..Seen::default()
    }
}

#[test]
fn a_pattern_is_filled_by_what_the_registry_says() {
    let terms = checked(ASKED).unwrap();
    assert_eq!(terms.interval_ms, 60_000);
    let target = terms
        .target(&seen("7"), "http://127.0.0.1:8000/v1")
        .unwrap();
    assert_eq!(target.provider_model, "fraud:blue");
    let untagged = Seen {
        tags: BTreeMap::new(),
        ..seen("7")
    };
    let why = terms.target(&untagged, "").unwrap_err();
    assert_eq!(why, Unfit::NoTag("served_as".to_owned()));
    for (text, filled) in [
        ("m", "m"),
        ("{version}", "7"),
        ("a{name}-{version}b", "afraud-7b"),
    ] {
        assert_eq!(
            Pattern::parse(text)
                .unwrap()
                .fill("fraud", &seen("7"))
                .unwrap(),
            filled
        );
    }
    for wrong in ["{", "}", "{versio}", "{tag.}", "a}{name}", "{{name}}", "{}"] {
        assert_eq!(Pattern::parse(wrong), Err(InvalidPattern), "{wrong}");
    }
    let endless = Seen {
        version: "9".repeat(300),
        ..seen("")
    };
    let pattern = Pattern::parse("{version}").unwrap();
    assert!(matches!(pattern.fill("", &endless), Err(Unfit::NoName(_))));
}

#[test]
fn what_makes_no_sense_is_refused_by_its_field() {
    type Spoil = fn(&mut Asked<'static>);
    let spoils: [(&str, Spoil); 13] = [
        ("model", |it| it.model = "organizations/evil/models/chat"),
        ("provider", |it| {
            it.provider = "organizations/evil/providers/p";
        }),
        ("provider_model", |it| it.provider_model = "{x}"),
        ("provider_model", |it| it.provider_model = ""),
        ("url", |it| it.url = "https://user@mlflow"),
        ("interval", |it| it.interval_ms = Some(999)),
        ("interval", |it| it.interval_ms = None),
        ("mlflow.registered_model", |it| {
            it.mlflow = Some(("", "a", ""));
        }),
        ("mlflow.alias", |it| it.mlflow = Some(("m", "", ""))),
        ("credential", |it| it.mlflow = Some(("m", "a", "ann"))),
        ("credential", |it| it.credential = "a b"),
        ("kserve.namespace", |it| {
            (it.mlflow, it.kserve) = (None, Some(("../x", "llama")));
        }),
        ("kserve.inference_service", |it| {
            (it.mlflow, it.kserve) = (None, Some(("ml", "")));
        }),
    ];
    for (field, spoil) in spoils {
        let mut asked = ASKED;
        spoil(&mut asked);
        let field = format!("version_source.{field}");
        assert_eq!(checked(asked).unwrap_err(), [field]);
    }
    let neither = Asked {
        mlflow: None,
        ..ASKED
    };
    assert_eq!(checked(neither).unwrap_err(), ["version_source"]);
    let both = Asked {
        kserve: Some(("ml", "llama")),
        ..ASKED
    };
    assert_eq!(checked(both).unwrap_err(), ["version_source"]);
    let taken = check(&parent(), ASKED, [("digest", "mine")].into_iter());
    assert!(taken.is_err(), "a label cannot say what the source says");
}

#[test]
fn provenance_fits_whatever_a_registry_says() {
    let terms = checked(ASKED).unwrap();
    let name = VersionSourceName::parse("organizations/acme/versionSources/champion").unwrap();
    let strange = Seen {
        artifact: format!("s3://a\nb/{}", "x".repeat(300)),
        ..seen("7")
    };
    let provenance = terms.provenance(&name, &strange);
    let of = |wanted: &str| {
        let mut all = provenance.iter();
        all.find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(of("registry"), Some("https://mlflow.example.com"));
    assert_eq!(of("registry_version"), Some("7"));
    assert_eq!((of("team"), of("run_id")), (Some("risk"), None));
    let entries = provenance
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let said = crate::capability::Said::default();
    let target = [("organizations/acme/providers/vllm", "m", 0, said)];
    assert!(crate::version::check(&parent().organization, &target, entries).is_ok());
}

#[test]
fn a_version_is_named_by_the_registry_or_else_by_its_digest() {
    let source = Slug::parse("champion").unwrap();
    let names = |version: &str| {
        let names = slugs(&source, &seen(version));
        names.map(|it| it.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("7"), ["champion-7", "champion-abababababab"]);
    assert_eq!(names("Llama_v2")[0], "champion-llama-v2");
    assert_eq!(names(&"9".repeat(80)), ["champion-abababababab"]);
    let long = Slug::parse(&"s".repeat(63)).unwrap();
    assert_eq!(slugs(&long, &seen("7")).count(), 1);
}

#[test]
fn a_service_is_served_by_the_provider_that_stands_there() {
    for (base_url, endpoint, fits) in [
        (
            "https://llama.example.com/openai/v1",
            "https://llama.example.com",
            true,
        ),
        (
            "https://llama.example.com",
            "https://llama.example.com/",
            true,
        ),
        (
            "https://llama.example.com:443/v1",
            "https://LLAMA.example.com",
            true,
        ),
        (
            "https://x.example.com/a/v1",
            "https://x.example.com/a",
            true,
        ),
        ("https://x.example.com/ab", "https://x.example.com/a", false),
        (
            "http://llama.example.com",
            "https://llama.example.com",
            false,
        ),
        (
            "https://llama.example.com.evil",
            "https://llama.example.com",
            false,
        ),
        ("https://llama.example.com", "", false),
    ] {
        assert_eq!(stands_at(base_url, endpoint), fits, "{base_url} {endpoint}");
    }
}
