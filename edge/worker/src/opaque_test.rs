//! Which texts are asked about, and that one question serves all who wait.

use super::*;

fn config(issuer: &str, prefix: &str) -> Config {
    Config {
        issuer: issuer.to_owned(),
        url: "https://id.example/introspect".to_owned(),
        client_id: "sluice".to_owned(),
        client_secret: Some(Secret::from("s:cret".to_owned())),
        token_prefix: prefix.to_owned(),
        ..Config::default()
    }
}

fn configs(prefixes: &[&str]) -> Configs {
    let named = |it: &&str| {
        let issuer = format!("organizations/acme/issuers/of-{it}");
        (format!("at-{it}"), config(&issuer, it))
    };
    prefixes.iter().map(named).collect()
}

fn spoiled(spoil: impl FnOnce(&mut Config)) -> String {
    let mut one = config("organizations/acme/issuers/corp", "");
    spoil(&mut one);
    let read = Places::read(&[("corp".to_owned(), one)].into());
    read.map_or_else(|why| why.to_string(), |_| String::new())
}

#[test]
fn a_text_is_its_longest_prefix_s_and_a_signed_token_is_only_asked_about_where_a_prefix_says_so() {
    let places = Places::read(&configs(&["ory_", "ory_at_", ""])).unwrap();
    let of = |text: &str| places.of(text).map(|it| it.issuer.clone());
    assert_eq!(of("ory_at_x").as_deref(), Some("of-ory_at_"));
    assert_eq!(of("ory_rt_x").as_deref(), Some("of-ory_"));
    assert_eq!(of("8xLOxBtZp8").as_deref(), Some("of-"));
    assert_eq!(of("eyJh.eyJp.c2ln"), None);
    assert_eq!(of("two words"), None);
    assert_eq!(of(&"x".repeat(token::BYTES_MAX + 1)), None);
    let places = Places::read(&configs(&["eyJ"])).unwrap();
    assert!(places.of("eyJh.eyJp.c2ln").is_some());
    assert!(places.of("8xLOxBtZp8").is_none());
}

#[test]
fn what_cannot_be_used_is_refused_by_the_name_of_its_setting_and_tells_no_secret() {
    assert_eq!(spoiled(|_| {}), "");
    for (said, begins) in [
        (
            spoiled(|it| it.issuer = "corp".to_owned()),
            "introspection.corp.issuer ",
        ),
        (
            spoiled(|it| it.url = "http://id.example/".to_owned()),
            "introspection.corp.url would",
        ),
        (
            spoiled(|it| it.url = "id".to_owned()),
            "introspection.corp.url is",
        ),
        (
            spoiled(|it| it.client_id = String::new()),
            "introspection.corp.client_id",
        ),
        (
            spoiled(|it| it.client_secret = None),
            "introspection.corp.client_secret",
        ),
        (spoiled(|it| it.keep_ms = 999), "introspection.corp.keep_ms"),
    ] {
        assert!(said.starts_with(begins), "{said}");
    }
    let twice = [
        ("a".to_owned(), config("organizations/acme/issuers/a", "x")),
        ("b".to_owned(), config("organizations/acme/issuers/b", "x")),
    ];
    let why = Places::read(&twice.into()).err().unwrap().to_string();
    assert!(why.starts_with("introspection.b.token_prefix"), "{why}");
    let shown = format!("{:?}", configs(&["x"]));
    assert!(!shown.contains("s:cret"), "{shown}");
}

#[test]
fn whom_we_are_is_said_as_a_form_would_say_it_and_shown_to_nobody() {
    let places = Places::read(&configs(&[""])).unwrap();
    let authorization = &places.of("token").unwrap().authorization;
    let expected = format!("Basic {}", base64::encode(b"sluice:s%3Acret"));
    assert_eq!(authorization.to_str().unwrap(), expected);
    assert!(authorization.is_sensitive());
}

#[tokio::test]
async fn one_question_serves_all_who_wait_and_its_answer_spares_the_next_for_a_while() {
    let opaque = Opaque::new(Places::read(&configs(&[""])).unwrap());
    let mut coming = opaque.coming().unwrap();
    assert!(opaque.coming().is_none());
    let answering = async {
        let question = coming.recv().await.unwrap();
        assert_eq!(question.token.as_str(), "token");
        let said = Map::from_iter([("active".to_owned(), Value::Bool(false))]);
        opaque.land(question, Some(said), 1_000);
    };
    let digest = [7; 32];
    let waiting = (opaque.ask("token", digest), opaque.ask("token", digest));
    let (one, other, ()) = tokio::join!(waiting.0, waiting.1, answering);
    assert!(one && other);
    assert!(coming.try_recv().is_err(), "it is asked once");
    assert!(opaque.answer(&digest, 1_000 + SPARED_MS - 1).is_some());
    assert!(opaque.answer(&digest, 1_000 + SPARED_MS).is_none());
}

#[tokio::test]
async fn where_too_many_wait_nobody_waits_longer() {
    let opaque = Opaque::new(Places::read(&configs(&[""])).unwrap());
    let kept = opaque.coming();
    let digest = |at: usize| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&at.to_be_bytes());
        digest
    };
    for at in 0..QUESTIONS_MAX {
        assert!(opaque.queue("token", digest(at)).is_some());
    }
    assert!(!opaque.ask("token", digest(QUESTIONS_MAX)).await);
    drop(kept);
}
