//! Providers between the wire and the store: all that is wrong at once, and where a credential may go.

use prost_types::FieldMask;
use seal::SealingKey;

use super::*;

fn fields(violations: Option<Violations>) -> Vec<String> {
    violations
        .unwrap()
        .into_vec()
        .into_iter()
        .map(|it| it.field)
        .collect()
}

#[test]
fn everything_that_is_wrong_with_a_new_provider_is_told_at_once() {
    let asked = admin::CreateProviderRequest {
        parent: "acme".into(),
        provider_id: "9".into(),
        provider: Some(admin::Provider {
            base_url: "ftp://example.com".into(),
            credential: "line\nbreak".into(),
            regions: vec!["EU".into()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let found = fields(wanted(asked).err());
    let base = [
        "parent",
        "provider_id",
        CREDENTIAL,
        KIND,
        "provider.base_url",
    ];
    assert_eq!(found, [base.as_slice(), &["provider.regions[0]"]].concat());
}

#[test]
fn a_credential_changes_only_when_it_is_named() {
    let asked = |credential: &str, paths: &[&str]| admin::UpdateProviderRequest {
        provider: Some(admin::Provider {
            name: "organizations/acme/providers/openai".into(),
            display_name: "new".into(),
            credential: credential.into(),
            ..Default::default()
        }),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        }),
        ..Default::default()
    };
    let credential = |asked| Change::read(asked).ok().map(|it| it.credential);
    let set = |text: &str| Some(Update::Set(Zeroizing::new(text.to_owned())));
    assert!(credential(asked("", &[])) == Some(Update::Kept));
    assert!(credential(asked("", &["*"])) == Some(Update::Kept));
    assert!(credential(asked("", &["credential"])) == set(""));
    assert!(credential(asked("secret", &["credential"])) == set("secret"));
    for paths in [&[][..], &["*"], &["display_name"]] {
        let refused = fields(Change::read(asked("secret", paths)).err());
        assert_eq!(refused, ["update_mask"]);
    }
}

fn row(credential_sealed: Option<Vec<u8>>) -> Row {
    Row {
        id: ProviderId::from_bytes([1; 16]),
        organization: policy::id::OrganizationId::from_bytes([2; 16]),
        name: ProviderName::parse("organizations/acme/providers/openai").unwrap(),
        display_name: String::new(),
        kind: ProviderKind::OpenAi,
        base_url: domain::base_url::parse("https://api.openai.com/v1").unwrap(),
        stream_options: true,
        passthrough: false,
        handling: Handling::default(),
        regions: Vec::new(),
        exchange_origins: Vec::new(),
        mapping: None,
        credential_sealed,
        version: 1,
        created_at: time::OffsetDateTime::UNIX_EPOCH,
        updated_at: time::OffsetDateTime::UNIX_EPOCH,
        revision: Revision(1),
    }
}

#[test]
fn a_kept_credential_does_not_follow_its_provider_to_another_origin() {
    let key = Ring::from(SealingKey::parse(&SealingKey::generate_text()).unwrap());
    let kept = || sealed::seal_credential(&key, ProviderId::from_bytes([1; 16]), b"kept");
    let moved = |base_url: &str, paths: &[&str], credential_sealed| {
        let change = Change::read(admin::UpdateProviderRequest {
            provider: Some(admin::Provider {
                name: "organizations/acme/providers/openai".into(),
                base_url: base_url.into(),
                ..Default::default()
            }),
            update_mask: Some(FieldMask {
                paths: paths.iter().map(ToString::to_string).collect(),
            }),
            ..Default::default()
        });
        let change = change.ok().unwrap();
        change.apply(&mut row(credential_sealed), &key)
    };
    for elsewhere in ["https://evil.example/v1", "https://api.openai.com:8443/v1"] {
        let why = moved(elsewhere, &["base_url"], Some(kept())).err().unwrap();
        assert!(why.message().starts_with(CREDENTIAL), "{}", why.message());
        let named = moved(elsewhere, &["base_url", "credential"], Some(kept()));
        assert!(named.unwrap().is_none(), "an empty credential is a choice");
        assert!(moved(elsewhere, &["base_url"], None).unwrap().is_none());
    }
    let here = moved("https://api.openai.com:443/v2", &["base_url"], Some(kept()));
    assert_eq!(here.unwrap().unwrap().as_slice(), b"kept");
}

fn form(authority: &str) -> String {
    let authority = format!("\"authority\":\"{authority}\"");
    format!(
        "{{\"type\":\"client_secret\",\"tenant_id\":\"t\",\"client_id\":\"c\",\"client_secret\":\"s\",{authority}}}"
    )
}

#[test]
fn a_form_may_go_where_its_kind_or_its_operator_says_and_stays_so_when_it_is_kept() {
    let asked = |kind, authority: &str, origins: &[&str]| admin::CreateProviderRequest {
        parent: "organizations/acme".into(),
        provider_id: "azure".into(),
        provider: Some(admin::Provider {
            kind: kind_shown(kind),
            base_url: "https://a.openai.azure.com/openai/v1".into(),
            credential: form(authority),
            exchange_origins: origins.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let azure = ProviderKind::AzureOpenAi;
    let own = "https://login.microsoftonline.com";
    assert!(wanted(asked(azure, own, &[])).is_ok());
    assert!(
        wanted(asked(
            azure,
            "https://sts.acme.example",
            &["https://sts.acme.example"]
        ))
        .is_ok()
    );
    let refused = [
        asked(azure, "https://evil.example", &[]),
        asked(ProviderKind::OpenAi, own, &[]),
    ];
    for asked in refused {
        assert_eq!(fields(wanted(asked).err()), [CREDENTIAL]);
    }

    let key = Ring::from(SealingKey::parse(&SealingKey::generate_text()).unwrap());
    let id = ProviderId::from_bytes([1; 16]);
    let kept = form("https://sts.acme.example");
    let mut row = row(Some(sealed::seal_credential(&key, id, kept.as_bytes())));
    row.kind = azure;
    row.exchange_origins = vec!["https://sts.acme.example:443".into()];
    let change = |origins: &[&str]| {
        Change::read(admin::UpdateProviderRequest {
            provider: Some(admin::Provider {
                name: "organizations/acme/providers/openai".into(),
                exchange_origins: origins.iter().map(ToString::to_string).collect(),
                ..Default::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["exchange_origins".into()],
            }),
            ..Default::default()
        })
        .ok()
        .unwrap()
    };
    let why = change(&[]).apply(&mut row, &key).err().unwrap();
    assert!(
        why.message().contains("exchange_origins"),
        "{}",
        why.message()
    );
    let more = ["https://sts.acme.example", "https://b.example"];
    assert_eq!(
        change(&more)
            .apply(&mut row, &key)
            .unwrap()
            .unwrap()
            .as_slice(),
        kept.as_bytes()
    );
    assert_eq!(row.exchange_origins.len(), 2);
}
