//! A sample of a model's requests is copied to another version: no client hears of it, whatever becomes of the copy; its cost is nobody's;
//! and it ends when it has cost what it may.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use harness::{
    client::{self, Client},
    provider::{Answer, Asked, Provider, Step},
    site::{Plan, Site},
    tenant::{Rules, Tenant},
    wait,
};
use proto::admin::{
    CreateLimitRequest, GetShadowRequest, Limit, LimitUnit, LimitWindow, ListAuditEntriesRequest,
    ProviderKind, QueryUsageRequest, Shadow, ShadowState, StartShadowRequest, StopShadowRequest,
    UsageDimension, UsageRow,
};
use scenarios::openai;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tonic::Code;

use crate::command_line::Shell;

const PATH: &str = "/v1/chat/completions";
/// What an answer takes at most, which a copy that hangs takes longer than.
const AT_ONCE: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(20);
/// What the copied version asks for, which has a published price.
const COPY: &str = "gpt-4o";
/// What a copy costs, in nano-dollars: 11 tokens at 2,500 and 7 at 10,000.
const COST: i64 =
    (openai::PROMPT_TOKENS * 2_500 + openai::COMPLETION_TOKENS * 10_000).cast_signed();

/// A model `chat` that is served by `provider-chat`, and has a version `v2` that asks for [`COPY`].
struct Town {
    site: Site,
    tenant: Tenant,
    key: String,
    provider: Provider,
}

/// Which model of the provider was asked.
fn model(asked: &Asked) -> String {
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    question["model"].as_str().unwrap_or_default().to_owned()
}

/// Answers as OpenAI does, but answers copies so.
fn copies(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> impl Fn(&Asked) -> Answer {
    move |asked| {
        if model(asked) == COPY {
            answer(asked)
        } else {
            openai::answer(asked)
        }
    }
}

impl Town {
    async fn build(
        edges: Vec<&'static str>,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let provider = Provider::start(copies(answer)).await;
        let site = Site::start(Plan {
            edges,
            ..Plan::default()
        })
        .await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let base_url = provider.base_url();
        tenant
            .provider_of(ProviderKind::Openai, "openai", &base_url)
            .await;
        let made = tenant.version(("chat", "v2"), ("openai", COPY), Rules::default());
        made.await.expect("a version is made");
        let (_, key) = tenant.key().await;
        site.propagated().await;
        Self {
            site,
            tenant,
            key,
            provider,
        }
    }

    fn model(&self) -> String {
        format!("{}/models/chat", self.tenant.organization)
    }

    async fn start(&self, shadow: Shadow) -> Result<Shadow, Code> {
        let request = StartShadowRequest {
            parent: self.model(),
            shadow: Some(Shadow {
                version: format!("{}/versions/v2", self.model()),
                ..shadow
            }),
            ..Default::default()
        };
        let started = self.site.admin().shadows().start_shadow(request).await;
        let started = started.map_err(|why| why.code())?.into_inner();
        self.site.propagated().await;
        Ok(started)
    }

    async fn shadow(&self, name: &str) -> Shadow {
        let request = GetShadowRequest {
            name: name.to_owned(),
        };
        let got = self.site.admin().shadows().get_shadow(request).await;
        got.expect("it is there").into_inner()
    }

    /// Lets the project ask so often a day.
    async fn limit(&self, amount: i64) {
        let request = CreateLimitRequest {
            parent: self.tenant.organization.clone(),
            limit_id: "few".to_owned(),
            limit: Some(Limit {
                scope: self.tenant.project.clone(),
                unit: LimitUnit::Requests.into(),
                amount,
                window: LimitWindow::Day.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = self.site.admin().limits().create_limit(request).await;
        made.expect("a limit is made");
        self.site.propagated().await;
    }

    /// Asks an edge once: the id, the status and the answer's bytes.
    async fn ask(&self, edge: usize, body: String) -> (String, u16, Vec<u8>) {
        let mut client = Client::connect(&self.site.url(edge), &self.key)
            .await
            .expect("the edge accepts");
        let reply = timeout(AT_ONCE, client.post(PATH, body)).await;
        let reply = reply.expect("a client does not wait for its copy");
        let reply = reply.expect("it answers");
        let id = reply.headers["x-sluice-request-id"].to_str();
        let (id, status) = (id.expect("it is text").to_owned(), reply.status.as_u16());
        let bytes = reply.bytes().await.expect("the answer arrives");
        (id, status, bytes.to_vec())
    }

    /// How often the provider was asked for a copy.
    fn copied(&self) -> usize {
        let asked = self.provider.asked();
        asked.iter().filter(|it| model(it) == COPY).count()
    }

    /// All that the organization has used, in one row.
    async fn used(&self) -> UsageRow {
        let request = QueryUsageRequest {
            parent: self.tenant.organization.clone(),
            group_by: vec![UsageDimension::Organization.into()],
            include_unreached: true,
            ..Default::default()
        };
        let reply = self.site.admin().usage().query_usage(request).await;
        let rows = reply.expect("the control plane answers").into_inner().rows;
        rows.into_iter().next().unwrap_or_default()
    }
}

/// Of all requests.
fn all() -> Shadow {
    Shadow {
        basis_points: 10_000,
        concurrent_max: 100,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_copy_is_nobodys_and_compared_with_what_its_client_got() {
    let town = Town::build(vec!["here"], openai::answer).await;
    town.limit(4).await;
    let before = town.ask(0, openai::whole("chat")).await;
    let streamed_before = town.ask(0, openai::streamed("chat")).await;
    let started = town.start(all()).await.expect("it starts");
    assert_eq!(started.state(), ShadowState::Running);
    assert_eq!(
        town.start(all()).await.err(),
        Some(Code::FailedPrecondition)
    );

    let whole = town.ask(0, openai::whole("chat")).await;
    let streamed = town.ask(0, openai::streamed("chat")).await;
    assert_eq!((whole.1, &whole.2), (200, &before.2));
    assert_eq!((streamed.1, &streamed.2), (200, &streamed_before.2));
    let refused = town.ask(0, openai::whole("chat")).await;
    assert_eq!(
        refused.1, 429,
        "four were asked for, and there is room for four"
    );

    let told = wait::until_within(PATIENCE, "both copies are told", async || {
        let now = town.shadow(&started.name).await;
        (now.copy.as_ref()?.requests == 2).then_some(now)
    });
    let (told, _) = told.await;
    assert_eq!((told.copies, told.cost_nano), (2, 2 * COST));
    let (original, copy) = (
        told.original.unwrap_or_default(),
        told.copy.unwrap_or_default(),
    );
    let counted = |it: &proto::admin::ShadowSide| {
        (
            it.requests,
            it.errors,
            it.input_tokens,
            it.output_tokens,
            it.whole,
        )
    };
    let tokens = (
        2 * openai::PROMPT_TOKENS.cast_signed(),
        2 * openai::COMPLETION_TOKENS.cast_signed(),
    );
    assert_eq!(counted(&original), (2, 0, tokens.0, tokens.1, 2));
    assert_eq!(counted(&copy), (2, 0, tokens.0, tokens.1, 2));
    assert_eq!((original.cost_nano, original.unpriced), (0, 2));
    assert_eq!((copy.cost_nano, copy.unpriced), (2 * COST, 0));
    assert!(copy.first_byte_p50_us > 0 && copy.total_p95_us >= copy.first_byte_p50_us);
    // One by one, by the ids that clients know.
    let pairs: BTreeSet<_> = told
        .newest
        .iter()
        .map(|it| it.original.clone().unwrap_or_default().id)
        .collect();
    assert_eq!(pairs, BTreeSet::from([whole.0, streamed.0]));

    sums_hold_no_copy(&town).await;
}

/// What the organization has used is what its clients asked for, and costs what those cost.
async fn sums_hold_no_copy(town: &Town) {
    let used = wait::until_within(PATIENCE, "all is summed", async || {
        let used = town.used().await;
        (used.requests >= 4).then_some(used)
    });
    let (used, _) = used.await;
    assert_eq!((used.requests, used.cost_nano), (4, 0), "{used:?}");
    let count = async |name: &str, labels: &str| town.site.count(0, name, labels).await;
    assert_eq!(count("sluice_shadow_copied_total", "").await, 2);
    assert_eq!(count("sluice_cost_nanodollars_total", "").await, 0);
}

#[tokio::test]
async fn a_copy_that_hangs_or_fails_changes_nothing_for_its_client() {
    let gate = Arc::new(AtomicI64::new(0));
    let hung = Arc::clone(&gate);
    let town = Town::build(vec!["here"], move |_| {
        // Every second one never says a word; the others fail.
        if hung.fetch_add(1, Ordering::Relaxed) % 2 == 0 {
            Answer::events(vec![Step::Never])
        } else {
            Answer::json(500, r#"{"error":{"message":"out of order"}}"#)
        }
    })
    .await;
    let before = town.ask(0, openai::whole("chat")).await;
    let shadow = Shadow {
        concurrent_max: 4,
        ..all()
    };
    let started = town.start(shadow).await.expect("it starts");
    for _ in 0..40 {
        let (_, status, bytes) = town.ask(0, openai::whole("chat")).await;
        assert_eq!((status, &bytes), (200, &before.2));
    }
    // Four hang and hold their places, and what finds none is not copied, and counted.
    let dropped = wait::until_within(PATIENCE, "no place is left", async || {
        let _ = town.ask(0, openai::whole("chat")).await;
        let labels = "why=\"copies\"";
        let dropped = town.site.count(0, "sluice_shadow_dropped_total", labels);
        (dropped.await > 0).then_some(())
    });
    dropped.await;
    let told = wait::until_within(PATIENCE, "a failed copy is told", async || {
        let now = town.shadow(&started.name).await;
        let copy = now.copy?;
        (copy.errors > 0 && copy.errors == copy.requests).then_some(now)
    });
    let (told, _) = told.await;
    assert_eq!(told.original.unwrap_or_default().errors, 0);
    let unwell = town
        .site
        .count(0, "sluice_shaping_set_aside_total", "")
        .await;
    assert_eq!(unwell, 0, "copies say nothing of how targets fare");
    let stopped = StopShadowRequest {
        name: started.name.clone(),
        reason: "seen enough".to_owned(),
        ..Default::default()
    };
    let stopped = town.site.admin().shadows().stop_shadow(stopped).await;
    let stopped = stopped.expect("it stops").into_inner();
    assert_eq!(stopped.state(), ShadowState::Stopped);
    town.site.propagated().await;
    let copied = town.copied();
    let _ = town.ask(0, openai::whole("chat")).await;
    assert_eq!(town.copied(), copied);
}

#[tokio::test]
async fn it_ends_by_itself_when_its_copies_have_cost_what_they_may() {
    let town = Town::build(vec!["here"], openai::answer).await;
    // Three copies cost more than this, and two do not.
    let most_micro = COST * 5 / 2 / 1_000;
    let started = town.start(Shadow {
        cost_max_micro_dollars: most_micro,
        ..all()
    });
    let started = started.await.expect("it starts");
    for _ in 0..3 {
        let (_, status, _) = town.ask(0, openai::whole("chat")).await;
        assert_eq!(status, 200);
    }
    let ended = wait::until_within(PATIENCE, "it ends", async || {
        let now = town.shadow(&started.name).await;
        now.end_time.is_some().then_some(now)
    });
    let (ended, _) = ended.await;
    assert_eq!(ended.state(), ShadowState::Spent, "{ended:?}");
    assert_eq!((ended.copies, ended.cost_nano), (3, 3 * COST));
    assert!(
        ended.reason.starts_with("3 copies have cost $"),
        "{}",
        ended.reason
    );
    town.site.propagated().await;
    let _ = town.ask(0, openai::whole("chat")).await;
    assert_eq!(town.copied(), 3);
    let request = ListAuditEntriesRequest {
        parent: town.tenant.organization.clone(),
        page_size: 1_000,
        ..Default::default()
    };
    let listed = town.site.admin().audit().list_audit_entries(request).await;
    let entries = listed
        .expect("the trail is told")
        .into_inner()
        .audit_entries;
    let methods: Vec<_> = entries
        .iter()
        .filter_map(|it| serde_json::from_str::<Value>(&it.entry).ok())
        .map(|it| (it["method"].clone(), it["actor"].clone()))
        .filter(|it| it.0.as_str().is_some_and(|it| it.ends_with("Shadow")))
        .collect();
    assert_eq!(methods.len(), 2, "{methods:?}");
    assert!(
        methods.contains(&(json!("EndShadow"), json!("control-plane"))),
        "{methods:?}"
    );
}

#[tokio::test]
async fn it_rests_when_a_day_has_cost_what_it_may_and_goes_on_the_next() {
    let town = Town::build(vec!["here"], openai::answer).await;
    let started = town.start(Shadow {
        day_cost_max_micro_dollars: COST * 5 / 2 / 1_000,
        ..all()
    });
    let started = started.await.expect("it starts");
    for _ in 0..3 {
        let (_, status, _) = town.ask(0, openai::whole("chat")).await;
        assert_eq!(status, 200);
    }
    let rests = wait::until_within(PATIENCE, "it rests", async || {
        let now = town.shadow(&started.name).await;
        now.rest_time.is_some().then_some(now)
    });
    let (rests, _) = rests.await;
    assert_eq!(
        (rests.state(), rests.day_cost_nano),
        (ShadowState::Running, 3 * COST)
    );
    let midnight = rests.rest_time.map_or(1, |it| it.seconds % 86_400);
    assert_eq!(midnight, 0, "{rests:?}");
    town.site.propagated().await;
    let _ = town.ask(0, openai::whole("chat")).await;
    assert_eq!(town.copied(), 3);

    // A day is longer than a test may be.
    let mut database = town.site.database.connect().await;
    let later = "UPDATE shadow SET day = day - 1, rests_until = rests_until - interval '1 day'";
    let moved = sqlx::query(later).execute(&mut database).await;
    assert_eq!(moved.expect("a day has gone").rows_affected(), 1);
    let shell = Shell::new(&town.site);
    shell.done("models update chat --display-name Chat");
    town.site.propagated().await;
    let _ = town.ask(0, openai::whole("chat")).await;
    let copied = async || (town.copied() == 4).then_some(());
    wait::until_within(PATIENCE, "it copies again", copied).await;
    let shown = shell.done("shadow show chat");
    assert!(shown.contains("may cost a day"), "{shown}");
}

/// Whether the documents say that a request is in the sample of a shadow of half.
fn in_half(uid: &str, id: &str) -> bool {
    let bytes = |text: &str| {
        let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|it| {
            let pair = str::from_utf8(it).expect("digits are text");
            u8::from_str_radix(pair, 16).expect("they are digits")
        });
        pairs.collect::<Vec<u8>>()
    };
    let mut digest = Sha256::new();
    digest.update(bytes(uid));
    digest.update([1]);
    digest.update(bytes(id));
    let digest = digest.finalize();
    let first: [u8; 8] = digest[..8].try_into().expect("it has eight bytes");
    u64::from_be_bytes(first) % 10_000 < 5_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_edges_sample_as_the_documents_say_and_an_operator_sees_it() {
    let town = Town::build(vec!["here", "there"], openai::answer).await;
    let shell = Shell::new(&town.site);
    let line = "shadow start chat --to v2 --percent 50% --dollars 10 --until 1h --id dusk";
    let checked = shell.done(&format!("{line} --validate-only"));
    assert!(checked.contains("dusk"), "{checked}");
    assert_eq!(shell.run("shadow show chat").code, 3);
    let started = shell.json(line);
    let uid = started["uid"].as_str().expect("it has an id").to_owned();
    let refused = shell.run("versions delete chat@v2");
    assert!(refused.err.contains("shadow"), "{}", refused.err);
    town.site.propagated().await;
    let mut expected = BTreeSet::new();
    for at in 0..40 {
        // What would be kept at the provider is never copied.
        let kept = json!({"model": "chat", "store": true, "messages": []}).to_string();
        let (_, status, _) = town.ask(at % 2, kept).await;
        assert_eq!(status, 200);
        let (id, _, _) = town.ask(at % 2, openai::whole("chat")).await;
        if in_half(&uid, &id) {
            expected.insert(id);
        }
    }
    let many = expected.len();
    assert!((5..35).contains(&many), "{many}");
    let expected_copies = many.to_string();
    let told = wait::until_within(PATIENCE, "all copies are told", async || {
        let told = tokio::task::block_in_place(|| shell.json("shadow show chat"));
        let told_of = [&told["copies"], &told["copy"]["requests"]];
        let all = told_of
            .iter()
            .all(|it| it.as_str() == Some(&*expected_copies));
        all.then_some(told)
    });
    let (told, _) = told.await;
    assert_eq!(town.copied(), many);
    let newest = told["newest"].as_array().expect("there are some").iter();
    for pair in newest {
        let id = pair["original"]["id"].as_str().expect("it has an id");
        assert!(expected.contains(id), "{id} is not in the sample");
    }
    let shown = shell.done("shadow show chat@dusk --pairs");
    for said in ["DIFFERENCE", "first byte p95", "output tokens", "└ "] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let stopped = shell.json("shadow stop chat --reason seen");
    assert_eq!(stopped["state"], "SHADOW_STATE_STOPPED");
    assert!(shell.done("shadow list chat").contains("stopped"));
    let reply = client::post(&town.site.url(0), &town.key, PATH, openai::whole("chat")).await;
    assert_eq!(reply.status, 200);
}
