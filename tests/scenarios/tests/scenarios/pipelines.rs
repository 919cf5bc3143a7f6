//! A pipeline of a repository releases a model: by the templates that we ship, with the identity that its forge gives it, and red
//! when the gates are.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use harness::{
    binaries,
    provider::{Answer, Asked, Provider},
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::{
    forge::{Ended, Forge, Kind},
    oidc::Oidc,
};
use serde_json::{Value, json};

use crate::{
    command_line::Shell,
    releases::{half_broken, traffic},
};

/// What a job of GitHub asks for its token with.
const JOB_WORD: &str = "the-job-s-own";

/// A forge whose jobs may release the model of an organization, from one branch.
struct Works {
    kind: Kind,
    forge: Forge,
    site: Site,
    issuer: Oidc,
    /// GitHub's door for tokens, and the one that it gives next.
    door: Provider,
    next: Arc<Mutex<String>>,
}

/// The file of a version whose provider knows it so.
fn chat(known: &str) -> String {
    format!(
        "model = 'chat'\n\n[[target]]\nprovider = 'main'\nmodel = '{known}'\n\n[provenance]\nteam = 'support'\n"
    )
}

/// The repository with the templates, copied as their heads say.
fn repository(kind: Kind, address: &str) -> Forge {
    let forge = Forge::new(kind);
    let ours = |path: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../deploy/ci")
            .join(path)
    };
    match kind {
        Kind::GitLab => {
            forge.copy(&ours("gitlab.yml"), ".sluice/gitlab.yml");
            forge.copy(&ours("release"), ".sluice/release");
            let pipeline = "include: .sluice/gitlab.yml\n\
                release chat:\n  extends: .sluice-release\n  variables:\n    RELEASE_FILE: models/chat.toml\n    \
                RELEASE_STEPS: 20%:0s:10 50%\n    RELEASE_GATES: error-rate:0%:40%\n    RELEASE_STICKY: request\n    \
                RELEASE_TIMEOUT: 60s\n";
            forge.write(".gitlab-ci.yml", pipeline);
        }
        Kind::GitHub => {
            let at = ".github/actions/sluice-release";
            forge.copy(&ours("github/action.yml"), &format!("{at}/action.yml"));
            forge.copy(&ours("release"), &format!("{at}/release"));
            let workflow = format!(
                "on: {{ push: {{ branches: [main] }} }}\njobs:\n  release:\n    runs-on: ubuntu-latest\n    \
                permissions: {{ id-token: write, contents: read }}\n    steps:\n      - uses: actions/checkout@v4\n      \
                - uses: ./{at}\n        with:\n          address: {address}\n          organization: acme\n          \
                trust: forge\n          file: models/chat.toml\n          steps: 20%:0s:10 50%\n          \
                gates: error-rate:0%:40%\n          sticky: request\n          timeout: 60s\n"
            );
            forge.write(".github/workflows/release.yml", &workflow);
        }
    }
    forge
}

/// The subject of a job of this branch, and another claim that forges make.
fn identity(kind: Kind, branch: &str) -> (String, &'static str) {
    match kind {
        Kind::GitLab => (
            format!("project_path:acme/chat:ref_type:branch:ref:{branch}"),
            "project_path",
        ),
        Kind::GitHub => (
            format!("repo:acme/chat:ref:refs/heads/{branch}"),
            "repository",
        ),
    }
}

/// GitHub's door: gives the next token to who brings the job's own word.
async fn door(next: Arc<Mutex<String>>) -> Provider {
    Provider::start(move |asked: &Asked| {
        let bearer = asked.headers.get("authorization");
        if bearer.is_none_or(|it| it != &format!("Bearer {JOB_WORD}")[..]) {
            return Answer::json(401, "{}");
        }
        let token = next.lock().expect("nobody panicked").clone();
        Answer::json(200, json!({"value": token, "count": 1}).to_string())
    })
    .await
}

// === impl Works ===

impl Works {
    async fn build(kind: Kind, provider: &Provider) -> (Self, String) {
        let ranges = r#"["127.0.0.0/8"]"#.to_owned();
        let plan = Plan {
            control_plane_settings: vec![("SLUICE_ISSUERS__PRIVATE_RANGES", ranges)],
            ..Plan::default()
        };
        let (site, issuer) = tokio::join!(Site::start(plan), Oidc::start());
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let (_, key) = tenant.key().await;
        site.propagated().await;
        let address = format!("http://{}", site.control_planes[0].admin);
        let next = Arc::new(Mutex::new(String::new()));
        let works = Self {
            kind,
            forge: repository(kind, &address),
            site,
            issuer,
            door: door(Arc::clone(&next)).await,
            next,
        };
        let (subject, claim) = identity(kind, "main");
        let line = format!(
            "trusts create forge --issuer-url {} --subject {subject} --claim {claim}=acme/chat \
             --role model-publisher@organization --lifetime 15m",
            works.issuer.url
        );
        Shell::new(&works.site).done(&line);
        (works, key)
    }

    /// Runs the pipeline of a commit on this branch, with a token of its own.
    async fn pipeline(&mut self, branch: &str, commit: &str) -> Ended {
        let job = self.forge.job(commit).await;
        let (subject, claim) = identity(self.kind, branch);
        let claims =
            json!({"sub": subject, "aud": job.audience, claim: "acme/chat", "ref": branch});
        let token = self.issuer.token_that_says(&claims).await;
        self.next
            .lock()
            .expect("nobody panicked")
            .clone_from(&token);
        let url = format!("{}/token?api-version=2.0", self.door.base_url());
        let address = format!("http://{}", self.site.control_planes[0].admin);
        let variables = match self.kind {
            Kind::GitLab => vec![
                ("SLUICE_ADDRESS", address),
                ("SLUICE_ORGANIZATION", "acme".to_owned()),
                ("SLUICE_TRUST", "forge".to_owned()),
                (job.token.as_str(), token.clone()),
            ],
            Kind::GitHub => vec![
                ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_WORD.to_owned()),
            ],
        };
        let program = binaries::path("sluice");
        let folder = program.parent().expect("a program is in a folder");
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let ended = tokio::task::block_in_place(|| job.run(&path, &variables));
        let log = &ended.log;
        assert!(!log.contains(&token) && !log.contains("slo_"), "{log}");
        ended
    }
}

/// The version that a job says it has pushed.
fn pushed(ended: &Ended) -> &str {
    let mut lines = ended.log.lines();
    let line = lines.find_map(|it| it.strip_prefix("pushed "));
    line.expect("a job says what it pushes")
}

async fn releases_what_is_good_and_fails_for_what_is_not(kind: Kind) {
    let provider = Provider::start(half_broken).await;
    let (mut works, key) = Works::build(kind, &provider).await;
    let shell = Shell::new(&works.site);
    let versions = || {
        let listed = shell.json("versions list chat");
        listed["modelVersions"].as_array().map_or(0, Vec::len)
    };
    let stable = || shell.json("models get chat")["stableVersion"].clone();
    let stop = Arc::new(AtomicBool::new(false));
    let asking = traffic(works.site.url(0), key, Arc::clone(&stop));

    works.forge.write("models/chat.toml", &chat("fine"));
    let good = works.forge.push("main", "Ask for the new model");
    let ended = works.pipeline("main", &good).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let told = "step 1 of 2, 20 %: waits for";
    assert!(ended.log.contains(told), "{}", ended.log);
    let version = pushed(&ended).to_owned();
    assert_eq!(stable(), Value::from(version.as_str()));
    let shown = shell.json(&format!("versions get {version}"));
    assert_eq!(shown["provenance"]["git_sha"], good.as_str());
    assert_eq!(shown["provenance"]["team"], "support");

    // Run again, and for a commit that leaves the file as it is: the same version, which serves.
    works.forge.write("README", "what this is");
    let other = works.forge.push("main", "Say what this is");
    for commit in [&good, &other] {
        let again = works.pipeline("main", commit).await;
        assert_eq!((again.code, pushed(&again)), (0, version.as_str()));
        assert!(again.log.contains("it serves already"), "{}", again.log);
    }
    assert_eq!(versions(), 2);

    works.forge.write("models/chat.toml", &chat("broken"));
    let bad = works.forge.push("main", "Ask for one that is out of order");
    let ended = works.pipeline("main", &bad).await;
    assert_eq!(ended.code, 8, "{}", ended.log);
    let why = "the rollout was taken back";
    let gate = "the error rate is worse: 100.00 %";
    assert!(
        ended.log.contains(why) && ended.log.contains(gate),
        "{}",
        ended.log
    );
    assert_ne!(pushed(&ended), version);
    assert_eq!(stable(), Value::from(version.as_str()));
    assert_eq!(
        shell.json("rollouts status chat")["state"],
        "ROLLOUT_STATE_ROLLED_BACK"
    );

    works.forge.git(&["revert", "--no-edit", "HEAD"]);
    let back = works.forge.publish("main");
    let ended = works.pipeline("main", &back).await;
    assert_eq!((ended.code, pushed(&ended)), (0, version.as_str()));
    stop.store(true, Ordering::Relaxed);
    asking.await.expect("traffic never fails");

    // A branch that the trust does not name gets nowhere.
    works.forge.write("models/chat.toml", &chat("other"));
    let aside = works.forge.push("aside", "Try something");
    let ended = works.pipeline("aside", &aside).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    assert_eq!(versions(), 3);

    let trail = shell.done("audit list --since 1h -o json");
    let (subject, _) = identity(kind, "main");
    assert!(trail.contains("StartRollout") && trail.contains(&format!("forge:{subject}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_gitlab_releases_what_is_good_and_fails_for_what_is_not() {
    releases_what_is_good_and_fails_for_what_is_not(Kind::GitLab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_github_releases_what_is_good_and_fails_for_what_is_not() {
    releases_what_is_good_and_fails_for_what_is_not(Kind::GitHub).await;
}
