//! What is declared beside what stands gives these steps and no others.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use proto::admin;

use super::*;
use crate::{
    admin::declarations::{
        document::{Document, Ground},
        kind::{KINDS, kind},
    },
    place::Place,
};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(proto::DESCRIPTORS).unwrap()
}

fn declared(pool: &DescriptorPool, text: &str) -> Vec<Declared> {
    let place = Place {
        organization: Some("acme".to_owned()),
        project: None,
    };
    let document = Document::parse("a.toml".to_owned(), text).unwrap();
    let ground = Ground {
        place: &place,
        pool,
    };
    let mut problems = Vec::new();
    let mut all = document.declared(&ground, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    all.sort_by_key(|it| it.kind.order());
    all
}

fn stands(pool: &DescriptorPool, word: &str, typed: &impl Message) -> (String, Standing) {
    let kind = kind(word).unwrap();
    let shape = format!("sluice.admin.v1.{}", kind.noun.message);
    let mut message = DynamicMessage::new(pool.get_message_by_name(&shape).unwrap());
    message.transcode_from(typed).unwrap();
    let message = (kind.usual)(&message).unwrap();
    let name = wording::field(&message, "name");
    (name, Standing { kind, message })
}

fn web() -> admin::Project {
    admin::Project {
        name: "organizations/acme/projects/web".to_owned(),
        etag: "e1".to_owned(),
        display_name: "Web".to_owned(),
        traffic_class: 2,
        traffic_share: 1,
        content_keeping: 1,
        content_days: 7,
        ..Default::default()
    }
}

fn rpm() -> admin::Limit {
    admin::Limit {
        name: "organizations/acme/limits/rpm".to_owned(),
        scope: "organizations/acme/projects/web".to_owned(),
        unit: 1,
        amount: 600,
        window: 2,
        burst: 60,
        mode: 1,
        on_store_loss: 1,
        each: vec![2, 1],
        overrides: vec![admin::LimitOverride::default()],
        ..Default::default()
    }
}

const FILE: &str = "
[[project]]
id = 'web'
display_name = 'Web'
[[limit]]
id = 'rpm'
scope = 'projects/web'
unit = 'requests'
amount = 600
window = 'minute'
each = ['project', 'key']
";

fn plan(text: &str, standing: Vec<(String, Standing)>, prune: &[&str]) -> Result<Plan, Failure> {
    let pool = standing.first().map_or_else(pool, |(_, it)| {
        use prost_reflect::ReflectMessage;
        it.message.descriptor().parent_pool().clone()
    });
    let prune: Vec<_> = prune.iter().map(|word| kind(word).unwrap()).collect();
    Plan::of(
        declared(&pool, text),
        standing.into_iter().collect(),
        &prune,
    )
}

#[test]
fn what_stands_as_declared_needs_nothing_however_it_is_written() {
    let pool = pool();
    let standing = vec![
        stands(&pool, "project", &web()),
        stands(&pool, "limit", &rpm()),
    ];
    let made = plan(FILE, standing, &["project", "limit"]).unwrap();
    assert!(made.steps.is_empty(), "{:?}", made.steps);
    assert_eq!(made.same, 2);
}

#[test]
fn what_nobody_declares_is_as_of_a_new_one_and_a_hand_on_it_shows() {
    let pool = pool();
    let project = admin::Project {
        content_keeping: 3,
        demands_no_retention: true,
        key_rotation: Some(admin::KeyRotation::default()),
        ..web()
    };
    let limit = admin::Limit {
        amount: 9,
        burst: 9,
        ..rpm()
    };
    let standing = vec![
        stands(&pool, "project", &project),
        stands(&pool, "limit", &limit),
    ];
    let made = plan(FILE, standing, &[]).unwrap();
    let told = |at: usize| -> Vec<String> {
        let changes = made.steps[at].changes.iter();
        changes
            .map(|it| format!("{} {}>{}", it.field, it.old, it.new))
            .collect()
    };
    assert!(told(0)[0].starts_with("key_rotation "), "{:?}", told(0));
    assert_eq!(
        told(0)[1..],
        ["content_keeping all>none", "demands_no_retention yes>no"]
    );
    assert_eq!(
        told(1),
        ["amount 9>600", "burst 9>60"],
        "overrides are left alone"
    );
    assert_eq!(made.count(Action::Update), 2);
}

#[test]
fn spans_that_words_round_to_the_same_are_told_in_full() {
    let pool = pool();
    let hours = |hours: i64| {
        let seconds = hours * 3_600;
        Some(prost_types::Duration { seconds, nanos: 0 })
    };
    let project = admin::Project {
        key_rotation: Some(admin::KeyRotation {
            period: hours(2_161),
            overlap: hours(24),
            warn_before: hours(216),
            max_age: None,
        }),
        ..web()
    };
    let file = "[[project]]\nid = 'web'\ndisplay_name = 'Web'\nkey_rotation = { period = '90d', overlap = '24h', warn_before = '216h' }\n";
    let made = plan(file, vec![stands(&pool, "project", &project)], &[]).unwrap();
    let change = &made.steps[0].changes[0];
    assert!(change.old.contains("7779600s"), "{change:?}");
    assert!(change.new.contains("7776000s"), "{change:?}");
}

#[test]
fn what_is_new_comes_in_order_and_what_goes_the_other_way_round() {
    let pool = pool();
    let old = |name: &str| admin::Project {
        name: format!("organizations/acme/projects/{name}"),
        ..web()
    };
    let limit = |name: &str, unit, window| admin::Limit {
        name: format!("organizations/acme/limits/{name}"),
        unit,
        window,
        ..rpm()
    };
    let standing = || {
        vec![
            stands(&pool, "project", &old("old")),
            stands(&pool, "limit", &limit("old", 1, 2)),
            stands(&pool, "limit", &limit("budget", 6, 6)),
        ]
    };
    let steps = |prune: &[&str]| -> Vec<String> {
        let made = plan(FILE, standing(), prune).unwrap();
        let steps = made.steps.iter();
        steps
            .map(|it| format!("{:?} {}", it.action(), &it.name[19..]))
            .collect()
    };
    let made = ["Create projects/web", "Create limits/rpm"];
    assert_eq!(steps(&[]), made);
    assert_eq!(steps(&["project"])[2..], ["Delete projects/old"]);
    let all = ["Delete limits/old", "Delete projects/old"];
    assert_eq!(
        steps(&["project", "limit"])[2..],
        all,
        "a budget is left alone"
    );
}

#[test]
fn what_cannot_be_is_refused_by_its_place() {
    let pool = pool();
    let limit = admin::Limit {
        scope: "organizations/acme".to_owned(),
        ..rpm()
    };
    let standing = vec![
        stands(&pool, "project", &web()),
        stands(&pool, "limit", &limit),
    ];
    let said = plan(FILE, standing, &[]).unwrap_err().to_string();
    assert!(
        said.contains("a.toml:5: scope of organizations/acme/limits/rpm is `organizations/acme`"),
        "{said}"
    );

    let alone = FILE.replace("[[project]]\nid = 'web'\ndisplay_name = 'Web'\n", "");
    let said = plan(&alone, Vec::new(), &[]).unwrap_err().to_string();
    assert!(
        said.contains("names organizations/acme/projects/web, which neither"),
        "{said}"
    );
    let standing = vec![stands(&pool, "project", &web())];
    let said = plan(&alone, standing, &["project"])
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("which neither"),
        "what goes is not there: {said}"
    );
}

#[test]
fn a_credential_is_written_where_there_is_none_or_with_another_address() {
    let pool = pool();
    let file = "[[provider]]\nid = 'main'\nkind = 'openai'\ncredential_env = 'KEY'\n";
    let provider = |credential_set, base_url: &str| admin::Provider {
        name: "organizations/acme/providers/main".to_owned(),
        kind: 2,
        base_url: base_url.to_owned(),
        stream_options: Some(true),
        credential_set,
        ..Default::default()
    };
    let usual = "https://api.openai.com/v1";
    let fields = |credential_set, base_url| -> Vec<&str> {
        let standing = vec![stands(
            &pool,
            "provider",
            &provider(credential_set, base_url),
        )];
        let steps = plan(file, standing, &[]).unwrap().steps;
        let changes = steps.iter().flat_map(|step| &step.changes);
        changes.map(|it| it.field).collect()
    };
    assert!(fields(true, usual).is_empty());
    assert_eq!(fields(false, usual), ["credential"]);
    assert_eq!(
        fields(true, "https://elsewhere/v1"),
        ["base_url", "credential"]
    );
    assert_eq!(KINDS.len(), 5);
}
