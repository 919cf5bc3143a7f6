//! Models, each with a version of two targets, and a caller who asks for one after the other.
//!
//! Knows how to drive and measure the decision; knows nothing of figures that are wanted.

use std::{
    hint::black_box,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::clock::Clock;
use policy::{
    calendar::Zone,
    change::Edit,
    id::{ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    key::Key,
    model::{Model, ModelRule, Target, Version},
    object::Object,
    organization::Organization,
    project::Project,
    provider::{Provider, ProviderKind},
    revision::Revision,
    routing::Routing,
    rules::Rules,
    traffic::Traffic,
};
use worker::{
    asking::{Asking, Supposed},
    authorize,
    fares::Fares,
    identify::{Caller, Identify},
    in_force::{self, Secrets, Writer},
    request::key::Proof,
    route,
    tariff::Tariffs,
};
use zeroize::Zeroizing;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
const PEPPER: [u8; 32] = [7; 32];

/// How many requests one round has.
const REQUESTS: u32 = 2_000;

/// All that it takes.
pub(crate) struct Bench {
    rules: Rules,
    names: Vec<String>,
    caller: Caller,
    fares: Fares,
    supposed: Supposed,
    _writer: Writer,
}

// === impl Bench ===

impl Bench {
    /// So many models, with conditions or without.
    pub(crate) fn new(models: u32, conditions: bool) -> Self {
        let (mut writer, in_force) = in_force::new();
        let rules = rules(models, conditions);
        writer.publish_rules(rules.clone());
        let mut secrets = Secrets::default();
        secrets.peppers.insert(1, Zeroizing::new(PEPPER));
        writer.publish_secrets(secrets);
        let minted = keys::mint(keys::Family::Live);
        writer.put_key(key(&minted));
        let clock = Clock::system();
        let identify = Identify::new(in_force.clone(), clock, Default::default());
        let caller = identify.caller(&rules, Proof::key(&minted.text));
        let Ok(caller) = caller else {
            unreachable!("the key is known")
        };
        let lanes = shaping::Lanes::new(shaping::Config::default());
        Self {
            rules,
            names: (0..models).map(name).collect(),
            caller,
            fares: Fares::new(Arc::new(lanes), Rc::<Tariffs>::default(), in_force),
            supposed: Supposed {
                headers: vec![("x-team".to_owned(), "blue".to_owned())],
                input_tokens: 5_000,
                ..Supposed::default()
            },
            _writer: writer,
        }
    }

    /// The least that one request took in any of so many rounds.
    pub(crate) fn time(&self, rounds: u32) -> Duration {
        let round = |_| {
            let began = Instant::now();
            for number in 0..REQUESTS {
                black_box(self.decide(number));
            }
            began.elapsed() / REQUESTS
        };
        (0..rounds).map(round).min().unwrap_or_default()
    }

    /// The plan of so many requests, each by how many targets it has.
    pub(crate) fn targets(&self, requests: u32) -> Vec<usize> {
        (0..requests).map(|number| self.decide(number)).collect()
    }

    /// How often one request allocates.
    pub(crate) fn allocations(&self) -> f64 {
        let counted = allocation_counter::measure(|| {
            for number in 0..1_000 {
                black_box(self.decide(number));
            }
        });
        #[expect(clippy::cast_precision_loss, reason = "it is shown, not counted")]
        let each = counted.count_total as f64 / 1_000.0;
        each
    }

    fn decide(&self, number: u32) -> usize {
        let at = number as usize % self.names.len();
        let grant = authorize::grant(&self.rules, self.caller.clone(), &self.names[at]);
        let Ok(grant) = grant else {
            unreachable!("the model is there")
        };
        let asking = Asking::supposed(&self.supposed, &self.fares);
        let plan = route::plan(&self.rules, grant, asking);
        let Ok(plan) = plan else {
            unreachable!("it has targets")
        };
        black_box(plan.candidates().len())
    }
}

fn name(number: u32) -> String {
    format!("model-{number}")
}

/// An id that hangs on a number.
fn id(kind: u8, number: u32) -> [u8; 16] {
    let mut id = [kind; 16];
    for (byte, of) in id.iter_mut().zip(number.to_le_bytes()) {
        *byte = of;
    }
    id
}

fn rules(models: u32, conditions: bool) -> Rules {
    let mut rules = Rules::default();
    rules.set_revision(Revision(1));
    let mut put = |object| rules.apply(Edit::Upsert(object));
    put(Object::Organization(Organization {
        id: ORGANIZATION,
        name: "acme".to_owned(),
        zone: Zone::UTC,
        audit_access: policy::audit_access::AuditAccess::None,
    }));
    put(Object::Project(Project {
        id: PROJECT,
        organization: ORGANIZATION,
        name: "web".to_owned(),
        traffic: Traffic::default(),
        key_age_max_ms: None,
        pins: None,
        keeping: policy::keeping::Keeping::None,
        guard: None,
    }));
    for number in 0..2 {
        put(Object::Provider(provider(number)));
    }
    for number in 0..models {
        put(version(number));
        put(model(number, conditions));
    }
    rules
}

fn model(number: u32, conditions: bool) -> Object {
    let rule = |condition: String| ModelRule {
        condition,
        version: VersionId::from_bytes(id(4, number)),
    };
    let conditions = if conditions {
        vec![
            rule(format!("headers['x-team'] == 'team-{number}'")),
            rule("input_tokens > 100000".to_owned()),
            rule("project == 'nightly' && input_tokens > 1000".to_owned()),
            rule("headers['x-team'].startsWith('bl')".to_owned()),
        ]
    } else {
        Vec::new()
    };
    Object::Model(Model {
        id: ModelId::from_bytes(id(3, number)),
        organization: ORGANIZATION,
        name: name(number),
        stable: Some(VersionId::from_bytes(id(4, number))),
        created_seconds: 0,
        endings: None,
        aliases: Vec::new(),
        alias: None,
        split: None,
        shadow: None,
        rules: conditions,
    })
}

fn version(number: u32) -> Object {
    let target = |provider| Target {
        provider: ProviderId::from_bytes(id(5, provider)),
        provider_model: "gpt-4.1".to_owned(),
        weight: 0,
        capable: policy::catalogue::Capable::default(),
    };
    Object::Version(Version {
        id: VersionId::from_bytes(id(4, number)),
        model: ModelId::from_bytes(id(3, number)),
        name: "v1".to_owned(),
        targets: vec![target(0), target(1)],
        recipe: None,
        routing: Routing::default(),
    })
}

fn provider(number: u32) -> Provider {
    Provider {
        id: ProviderId::from_bytes(id(5, number)),
        organization: ORGANIZATION,
        name: format!("provider-{number}"),
        kind: ProviderKind::OpenAi,
        base_url: "https://api.openai.com/v1".to_owned(),
        stream_options: true,
        credential_required: false,
        mapping: None,
        passthrough: false,
        handling: policy::handling::Handling::default(),
    }
}

fn key(minted: &keys::Minted) -> Key {
    Key {
        key_id: minted.key_id.clone(),
        organization: ORGANIZATION,
        project: PROJECT,
        tag: keys::tag(&PEPPER, &minted.key_id, &minted.secret_sha256),
        pepper_version: 1,
        secret_created_at_ms: 0,
        previous: None,
        disabled: false,
        scope: None,
        labels: None,
        models: Vec::new(),
        expires_at_ms: None,
        config_revision: Revision(1),
    }
}
