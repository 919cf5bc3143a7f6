//! A person operates by a password and a code that the control plane keeps, and leaves no secret but one that ends soon.

use std::time::Duration;

use aws_lc_rs::hmac;
use harness::{
    admin::Admin,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    BeginActivationRequest, FinishActivationRequest, ListLocalUsersRequest, LogInRequest,
    ResetLocalUserRequest, login_service_client::LoginServiceClient,
};
use scenarios::openai;
use time::OffsetDateTime;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::command_line::Shell;

const PASSWORD: &str = "correct horse battery";
const ADA: &str = "organizations/acme/localUsers/ada";

/// The codes that an authenticator computes of a secret: what it showed before, shows now, and will show.
struct Authenticator(Vec<u8>);

impl Authenticator {
    /// Reads what a picture says.
    fn read(uri: &str) -> Self {
        let (_, rest) = uri.split_once("secret=").expect("it holds a secret");
        let text = rest.split('&').next().expect("it is not empty");
        let (mut bits, mut many, mut secret) = (0_u32, 0, Vec::new());
        for letter in text.bytes() {
            let five = match letter {
                b'A'..=b'Z' => letter - b'A',
                _ => letter - b'2' + 26,
            };
            bits = bits << 5 | u32::from(five);
            many += 5;
            if many >= 8 {
                many -= 8;
                secret.push(u8::try_from(bits >> many & 0xff).expect("a byte"));
            }
        }
        Self(secret)
    }

    /// What it shows so many steps from now, by RFC 6238 to the letter.
    fn shows(&self, ahead: i64) -> String {
        let step = OffsetDateTime::now_utc().unix_timestamp() / 30 + ahead;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let hash = hmac::sign(&key, &step.to_be_bytes());
        let hash = hash.as_ref();
        let at = usize::from(hash[19] & 15);
        let four: [u8; 4] = hash[at..at + 4].try_into().expect("four bytes");
        format!(
            "{:06}",
            (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
        )
    }
}

/// Whoever has no key yet, at the admin address.
struct Door(LoginServiceClient<Channel>);

impl Door {
    async fn of(site: &Site) -> Self {
        let address = format!("http://{}", site.control_planes[0].admin);
        let client = LoginServiceClient::connect(address).await;
        Self(client.expect("it listens"))
    }

    async fn authenticator(&mut self, name: &str, text: &str) -> Result<Authenticator, Status> {
        let request = BeginActivationRequest {
            local_user: name.to_owned(),
            activation_code: text.to_owned(),
        };
        let begun = self.0.begin_activation(request).await?.into_inner();
        assert!(
            begun
                .otpauth_uri
                .starts_with("otpauth://totp/Sluice:ada%40acme?")
        );
        Ok(Authenticator::read(&begun.otpauth_uri))
    }

    async fn activate(
        &mut self,
        (name, text): (&str, &str),
        (password, code): (&str, &str),
    ) -> Result<(), Status> {
        let request = FinishActivationRequest {
            local_user: name.to_owned(),
            activation_code: text.to_owned(),
            password: password.to_owned(),
            code: code.to_owned(),
        };
        self.0.finish_activation(request).await.map(drop)
    }

    async fn log_in(&mut self, name: &str, password: &str, code: &str) -> Result<String, Status> {
        let request = LogInRequest {
            local_user: name.to_owned(),
            password: password.to_owned(),
            code: code.to_owned(),
        };
        let reply = self.0.log_in(request).await?;
        Ok(reply.into_inner().text)
    }
}

fn word(why: &Status) -> String {
    let details = why.get_details_error_info();
    details.map_or_else(String::new, |it| it.reason)
}

/// An organization with one local user, who has an activation code.
struct Scene {
    site: Site,
    /// Of the owner of everything.
    shell: Shell,
    door: Door,
    /// The activation code.
    text: String,
    ada: Authenticator,
}

impl Scene {
    async fn with(role: &str) -> Self {
        let provider = Provider::start(openai::answer).await;
        let plan = Plan {
            edges: Vec::new(),
            ..Plan::default()
        };
        let site = Site::start(plan).await;
        Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let shell = Shell::new(&site);
        let line = format!("local-users create ada --role {role}@organization --text-only");
        let text = shell.done(&line).trim().to_owned();
        let mut door = Door::of(&site).await;
        let ada = door.authenticator(ADA, &text).await;
        Self {
            ada: ada.expect("the code is theirs"),
            site,
            shell,
            door,
            text,
        }
    }

    /// The same after ada has chosen a password.
    async fn active(role: &str) -> Self {
        let mut it = Self::with(role).await;
        let code = it.ada.shows(-1);
        let activated = it.door.activate((ADA, &it.text), (PASSWORD, &code)).await;
        activated.expect("it is taken");
        it
    }

    /// What an admin sees of this key.
    fn admin(&self, text: &str) -> Admin {
        Admin::new(self.site.control_planes[0].admin, text)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_chooses_a_password_and_operates_with_it_and_a_code() {
    let scene = Scene::with("viewer").await;
    let (shell, ada, text) = (&scene.shell, &scene.ada, &scene.text);
    let logins = scene.site.folder().join("logins.json");
    let logins = vec![("SLUICE_LOGINS_FILE", logins.display().to_string())];
    let person = Shell::stranger(&scene.site, logins);
    activated(&scene, &person);

    let code = ada.shows(0);
    let answers = format!("{PASSWORD}\n{} {}\n", &code[..3], &code[3..]);
    let ended = person.run_with("login --user ada", &answers);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(!ended.out.contains("slo_") && !ended.err.contains("slo_"));
    let me = person.json("whoami");
    assert_eq!(me["subject"], "ada");
    assert_eq!(me["trust"], ADA);
    assert_eq!(me["bindings"][0]["role"], "viewer");
    person.done("projects list");
    assert_eq!(person.run("projects create more").code, 5);
    let again = person.run_with("login --user ada", &answers);
    assert_eq!(again.code, 5, "{}", again.err);
    assert!(again.err.contains("taken once"), "{}", again.err);

    // What they may do changes, and what they were given until then ends.
    shell.done("local-users update ada --role owner@organization");
    assert_eq!(person.run("whoami").code, 5);
    let answers = format!("{PASSWORD}\n{}\n", ada.shows(1));
    let ended = person.run_with("login --user ada", &answers);
    assert_eq!(ended.code, 0, "{}", ended.err);
    person.done("projects create more");
    assert!(person.done("logout").contains("logged out"));
    let listed = shell.json("local-users list");
    let user = &listed["localUsers"][0];
    assert!(user["loginTime"].is_string() && user["passwordTime"].is_string());
    assert!(user.get("activateUntil").is_none(), "{listed}");

    // Who was let in and who was not stands in the trail, and no secret does.
    let told = wait::until("the refusals are told", async || {
        let told = shell.done("audit list --since 1h -o json");
        (told.contains("the password or the code is wrong")).then_some(told)
    });
    let (told, _) = told.await;
    for word in [
        "CreateLocalUser",
        "FinishActivation",
        "LogIn",
        "UpdateLocalUser",
        ADA,
    ] {
        assert!(told.contains(&format!("\"{word}\"")), "{word}");
    }
    for secret in [PASSWORD, text, "slo_", "otpauth", "argon2"] {
        assert!(!told.contains(secret), "{secret}");
    }
}

/// Ada chooses a password on the command line; weak ones and wrong codes are told before anything is taken.
fn activated(scene: &Scene, person: &Shell) {
    let (ada, text) = (&scene.ada, &scene.text);
    for (password, code, says) in [
        ("short", ada.shows(-1), "at least 12 characters"),
        (
            "here is ada lovelace",
            ada.shows(-1),
            "must not hold the name",
        ),
        (PASSWORD, "000000".to_owned(), "authenticator should show"),
    ] {
        let answers = format!("{text}\n{password}\n{code}\n");
        let ended = person.run_with("activate --user ada", &answers);
        assert_ne!(ended.code, 0, "{password}");
        assert!(ended.err.contains(says), "{}", ended.err);
    }
    let answers = format!("{text}\n{PASSWORD}\n{}\n", ada.shows(-1));
    let ended = person.run_with("activate --user ada", &answers);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("is active"), "{}", ended.out);
    let again = person.run_with("activate --user ada", &answers);
    assert_eq!(again.code, 5, "{}", again.err);
    assert!(again.err.contains("was used"), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_guesses_waits_and_learns_nothing_of_who_there_is() {
    let Scene {
        mut door,
        ada,
        site: _site,
        ..
    } = Scene::active("viewer").await;
    let nobody = "organizations/acme/localUsers/nobody";
    let mut heard = Vec::new();
    for name in [ADA, nobody] {
        let mut answers = Vec::new();
        for at in 0..6 {
            // One of the two is right each time, and is not taken for it.
            let (password, code) = match at % 2 {
                0 => ("not their password", ada.shows(0)),
                _ => (PASSWORD, "123456".to_owned()),
            };
            let refused = door.log_in(name, password, &code).await;
            let why = refused.expect_err("it is wrong");
            answers.push((word(&why), why.code()));
        }
        heard.push(answers);
    }
    assert_eq!(heard[0], heard[1], "a name that nobody has is no different");
    let refused = ("LOGIN_REFUSED".to_owned(), Code::Unauthenticated);
    assert_eq!(heard[0][..5], vec![refused; 5]);
    let paused = ("LOGIN_PAUSED".to_owned(), Code::ResourceExhausted);
    assert_eq!(heard[0][5], paused);
    // A right password and a right code wait as well, and then are taken.
    let entered = wait::until("the pause is over", async || {
        match door.log_in(ADA, PASSWORD, &ada.shows(0)).await {
            Ok(_) => Some(()),
            Err(why) => {
                assert_eq!(word(&why), "LOGIN_PAUSED");
                let left = why.get_details_retry_info();
                let left = left.and_then(|it| it.retry_delay).expect("it says when");
                assert!(left <= Duration::from_secs(1), "{left:?}");
                None
            }
        }
    });
    entered.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_beyond_what_they_hold_by_a_local_user() {
    let mut scene = Scene::active("owner").await;
    let shell = &scene.shell;
    shell.done("roles create staffing --permission operators.read,operators.write,models.read");
    let key = shell.json("operator-keys create --role roles/staffing@organization");
    let lesser = scene.admin(key["text"].as_str().expect("it has a text"));
    let reset = ResetLocalUserRequest {
        name: ADA.to_owned(),
        ..Default::default()
    };
    // Whoever resets somebody could choose in their place.
    let refused = lesser.local_users().reset_local_user(reset.clone()).await;
    let why = refused.expect_err("ada holds more");
    assert_eq!(why.code(), Code::PermissionDenied);
    let wrong = shell.run("local-users create bob --role owner@organizations/other");
    assert_eq!(wrong.code, 4, "a role of elsewhere: {}", wrong.err);

    let again = scene
        .site
        .admin()
        .local_users()
        .reset_local_user(reset)
        .await;
    let again = again.expect("an owner may").into_inner();
    let refused = scene.door.log_in(ADA, PASSWORD, &scene.ada.shows(0)).await;
    let why = refused.expect_err("it holds no more");
    assert_eq!(word(&why), "LOGIN_REFUSED");
    assert!(scene.door.authenticator(ADA, &scene.text).await.is_err());
    let other = scene.door.authenticator(ADA, &again.text).await;
    let other = other.expect("another code is theirs");
    assert_ne!(other.0, scene.ada.0, "it computes other codes");
    let chosen = ("another horse battery", other.shows(-1));
    let activated = scene
        .door
        .activate((ADA, &again.text), (chosen.0, &chosen.1));
    activated.await.expect("it is taken");
    switched_off(&mut scene, chosen.0, &other).await;
}

/// One who is switched off is out at once, and who is deleted is gone.
async fn switched_off(scene: &mut Scene, password: &str, shown: &Authenticator) {
    let text = scene.door.log_in(ADA, password, &shown.shows(0)).await;
    let person = scene.admin(&text.expect("it is right"));
    let list = async || {
        let request = ListLocalUsersRequest {
            parent: "organizations/acme".to_owned(),
            ..Default::default()
        };
        let listed = person.local_users().list_local_users(request).await;
        listed.map_or_else(|why| why.code(), |_| Code::Ok)
    };
    assert_eq!(list().await, Code::Ok);
    scene.shell.done("local-users update ada --disable");
    assert_eq!(list().await, Code::Unauthenticated);
    let refused = scene.door.log_in(ADA, password, &shown.shows(1)).await;
    let why = refused.expect_err("they are switched off");
    assert_eq!(word(&why), "LOGIN_REFUSED");
    scene.shell.done("local-users delete ada");
    assert_eq!(scene.shell.run("local-users get ada").code, 3);
}
