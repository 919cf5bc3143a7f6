//! A folder of declarations makes an organization what it says, shows what a hand has changed, and mends it.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use harness::{
    binaries,
    site::{Plan, Site},
};

use crate::command_line::Shell;

/// A folder beside the site, and whoever applies it.
struct Folder {
    path: PathBuf,
    shell: Shell,
}

const SECRET: &str = "sk-what-nobody-sees";

impl Folder {
    /// An empty one, for an organization in which nothing stands.
    fn new(site: &Site) -> Self {
        let path = site.folder().join("declared");
        fs::create_dir(&path).expect("a folder is made");
        let variables = vec![
            ("SLUICE_OPERATOR_KEY", site.operator_key().to_owned()),
            ("MAIN_KEY", SECRET.to_owned()),
        ];
        let shell = Shell::stranger(site, variables);
        shell.done("organizations create acme");
        Self { path, shell }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path.join(name), text).expect("a file is written");
    }

    /// The command on the folder, with more behind it.
    fn line(&self, verb: &str, more: &str) -> String {
        format!("{verb} -f {} {more}", self.path.display())
    }

    /// Plans, which must end so, and gives what is shown.
    fn plan(&self, more: &str, code: i32) -> String {
        let line = self.line("plan", &format!("--detailed-exitcode {more}"));
        let ended = self.shell.run(&line);
        assert_eq!(ended.code, code, "{}{}", ended.out, ended.err);
        assert!(!ended.out.contains(SECRET) && !ended.err.contains(SECRET));
        ended.out
    }

    /// Applies, which must go well, and gives what is shown.
    fn apply(&self, more: &str) -> String {
        let ended = self
            .shell
            .run(&self.line("apply", &format!("--yes {more}")));
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        assert!(!ended.out.contains(SECRET) && !ended.err.contains(SECRET));
        assert!(!ended.err.contains("is kept as"), "{}", ended.err);
        ended.out
    }
}

async fn alone() -> Site {
    Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await
}

const TEAMS: &str = r#"
organization = "acme"

[[project]]
id = "web"
display_name = "Web"
traffic_class = "critical"
key_rotation = { period = "90d" }
tag_sources = ["unit=claim:department", "team=label:team"]
forbidden_preferences = ["sort", "order"]
residencies = ["eu", "ch"]

[[provider]]
id = "main"
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
credential_env = "MAIN_KEY"
regions = ["us", "eu"]
exchange_origins = ["https://sts.example"]

[[provider]]
id = "own"
kind = "custom"
base_url = "http://127.0.0.1:9"
custom = { path = "/score", headers = [{ name = "X-Version", value = "3" }], request_program = "{input}" }

[[model]]
id = "chat"
display_name = "Chat"
"#;

const LIMITS: &str = r#"
[[limit]]
id = "rpm"
scope = "projects/web"
unit = "requests"
amount = 600
window = "minute"
each = ["model", "key"]

[[limit]]
id = "at-once"
scope = "organization"
provider = "main"
unit = "concurrent-requests"
amount = 20
"#;

#[tokio::test]
async fn a_folder_makes_an_organization_what_it_says_and_mends_what_a_hand_has_changed() {
    let site = alone().await;
    let folder = Folder::new(&site);
    folder.write("teams.toml", TEAMS);
    folder.write("limits.toml", LIMITS);
    let shell = &folder.shell;

    let planned = folder.plan("", 10);
    for name in [
        "projects/web",
        "providers/main",
        "models/chat",
        "limits/rpm",
    ] {
        let made = format!("+ organizations/acme/{name} ");
        assert!(planned.contains(&made), "{planned}");
    }
    assert!(
        planned.contains("6 to make, 0 to change, 0 to delete"),
        "{planned}"
    );
    let asked = shell.run(&folder.line("apply", ""));
    assert_eq!(asked.code, 2, "{}", asked.err);
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    let without = vec![("SLUICE_OPERATOR_KEY", site.operator_key().to_owned())];
    let without = Shell::stranger(&site, without).run(&folder.line("apply", "--yes"));
    assert_eq!(without.code, 2, "{}", without.err);
    assert!(without.err.contains("MAIN_KEY"), "{}", without.err);
    assert_eq!(shell.run("projects get web").code, 3, "nothing was made");

    folder.apply("");
    assert_eq!(shell.json("providers get main")["credentialSet"], true);
    assert_eq!(shell.json("limits get rpm")["burst"], "60");
    let again = folder.plan("", 0);
    assert!(again.contains("nothing to do: all 6"), "{again}");
    assert!(folder.apply("").contains("nothing to do: all 6"));

    by_hand(&folder);
    pruned(&folder);
}

/// What a hand has changed is seen and mended; what others look after is left.
fn by_hand(folder: &Folder) {
    let shell = &folder.shell;
    shell.done("limits update rpm --amount 7 --window hour");
    shell.done("projects update web --content all --no-rotation --every-residency");
    shell.done("providers update own --path /other");
    shell.done("limits override rpm --amount 9");
    let planned = folder.plan("", 10);
    for change in [
        "~ organizations/acme/limits/rpm ",
        "    amount: 7 → 600",
        "    window: hour → minute",
        "    content_keeping: all → none",
        "    key_rotation: nothing → ",
        "    custom: ",
        "0 to make, 3 to change, 0 to delete; 3 as declared",
    ] {
        assert!(planned.contains(change), "{change}: {planned}");
    }
    assert!(!planned.contains("overrides"), "{planned}");
    let document = shell.json(&folder.line("plan", ""));
    let change = &document["changes"][2];
    assert_eq!(change["action"], "update");
    assert_eq!(change["fields"][0]["new"], "600", "{document}");
    folder.apply("");
    assert_eq!(shell.json("limits get rpm")["amount"], "600");
    assert_eq!(shell.json("limits get rpm")["overrides"][0]["amount"], "9");
    folder.plan("", 0);
}

/// What is declared no more goes where that is said, and nothing beside it.
fn pruned(folder: &Folder) {
    let shell = &folder.shell;
    shell.done("projects create by-hand");
    shell.done("budgets create team --owner project --dollars 250 --period month");
    fs::remove_file(folder.path.join("limits.toml")).expect("it is there");
    folder.plan("", 0);
    let planned = folder.plan("--prune limit", 10);
    assert!(
        planned.contains("- organizations/acme/limits/rpm "),
        "{planned}"
    );
    assert!(
        planned.contains("0 to make, 0 to change, 2 to delete"),
        "{planned}"
    );
    folder.apply("--prune limit");
    assert_eq!(shell.run("limits get rpm").code, 3);
    shell.done("budgets get team");
    shell.done("projects get by-hand");
    folder.apply("--prune project,limit");
    assert_eq!(shell.run("projects get by-hand").code, 3);
    folder.plan("--prune project,provider,model,limit", 0);
}

#[tokio::test]
async fn a_write_that_is_refused_ends_it_and_the_next_run_goes_on() {
    let site = alone().await;
    let folder = Folder::new(&site);
    let shell = &folder.shell;
    folder.write("a.toml", "[[project]]\nid = 'web'\n[[model]]\nid = 'chat'\nrules = [{ condition = '1 +', version = 'v1' }]\n");
    folder.write("b.toml", &LIMITS.replace("provider = \"main\"", ""));
    let ended = shell.run(&folder.line("apply", "--yes"));
    assert_eq!(ended.code, 4, "{}", ended.err);
    for says in [
        "model.rules[0].condition",
        "written before it: organizations/acme/projects/web\n",
        "not written: organizations/acme/models/chat, organizations/acme/limits/at-once, organizations/acme/limits/rpm\n",
        "run `sluice apply` again",
    ] {
        assert!(ended.err.contains(says), "{says}: {}", ended.err);
    }
    let ended = shell.run(&folder.line("apply", "--yes -o json"));
    assert_eq!(ended.code, 4, "{}", ended.err);
    let document: serde_json::Value = serde_json::from_str(&ended.out).expect("it prints JSON");
    assert_eq!(document["changes"][0]["done"], false, "{document}");
    assert_eq!(document["same"], 1, "{document}");

    folder.write(
        "a.toml",
        "[[project]]\nid = 'web'\n[[model]]\nid = 'chat'\n",
    );
    assert!(
        folder
            .apply("")
            .contains("3 to make, 0 to change, 0 to delete; 1 as declared")
    );

    // What cannot change is told before anything is written, and so is what nobody has.
    folder.write(
        "b.toml",
        &LIMITS
            .replace("\"organization\"", "\"projects/web\"")
            .replace("main", "gone"),
    );
    let ended = shell.run(&folder.line("apply", "--yes"));
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(
        ended.err.contains("b.toml:10: provider of"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("cannot change"), "{}", ended.err);

    // Who may only look may plan.
    folder.write(
        "b.toml",
        &LIMITS
            .replace("provider = \"main\"", "")
            .replace("600", "60"),
    );
    let key = shell.json("operator-keys create --role viewer@organization");
    let key = key["text"].as_str().expect("it has a text").to_owned();
    let viewer = Shell::stranger(&site, vec![("SLUICE_OPERATOR_KEY", key)]);
    assert!(viewer.done(&folder.line("plan", "")).contains("600 → 60"));
    let ended = viewer.run(&folder.line("apply", "--yes"));
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(
        ended.err.contains("written before it: none"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn a_write_of_somebody_else_between_the_question_and_the_yes_is_told_and_not_overwritten() {
    let site = alone().await;
    let folder = Folder::new(&site);
    let shell = &folder.shell;
    let named = |name: &str| format!("[[project]]\nid = 'web'\ndisplay_name = '{name}'\n");
    folder.write("a.toml", &named("One"));
    folder.apply("");
    folder.write("a.toml", &named("Two"));

    // A terminal, on which it asks.
    let line = format!(
        "{} {}",
        binaries::path("sluice").display(),
        folder.line("apply", "")
    );
    let mut asked = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env(
            "SLUICE_ADDRESS",
            format!("http://{}", site.control_planes[0].admin),
        )
        .env("SLUICE_OPERATOR_KEY", site.operator_key())
        .env("SLUICE_ORGANIZATION", "acme")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a terminal starts");
    let mut out = asked.stdout.take().expect("its output is ours");
    let mut said = Vec::new();
    let mut part = [0; 4_096];
    while !String::from_utf8_lossy(&said).contains("write this?") {
        let read = out.read(&mut part).expect("it speaks");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&part[..read]);
    }
    shell.done("projects update web --display-name Three");
    let mut answer = asked.stdin.take().expect("its input is ours");
    answer.write_all(b"yes\n").expect("it listens");
    out.read_to_end(&mut said).expect("it speaks");
    let said = String::from_utf8_lossy(&said);
    let ended = asked.wait().expect("it ends");
    assert_eq!(ended.code(), Some(4), "{said}");
    assert!(said.contains("changed by somebody else"), "{said}");
    assert!(
        said.contains("not written: organizations/acme/projects/web"),
        "{said}"
    );
    assert_eq!(shell.json("projects get web")["displayName"], "Three");
    assert!(folder.plan("", 10).contains("display_name: Three → Two"));
}
