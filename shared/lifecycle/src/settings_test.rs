//! What settings are read as, and what each kind of mistake is told as.

use std::{fs, net::SocketAddr};

use super::*;

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    #[serde(default)]
    pg: Pg,
    #[serde(default)]
    seal: Seal,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pg {
    url: String,
    pool: u32,
    ratio: f64,
    tls: bool,
    address: Option<SocketAddr>,
    mode: Mode,
    ranges: Vec<String>,
    ports: Vec<u16>,
    retry: Retry,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Retry {
    delay_ms: u64,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Shared,
    Local,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Seal {
    key: Option<Secret>,
    key_file: Option<PathBuf>,
}

impl PartialEq for Seal {
    fn eq(&self, other: &Self) -> bool {
        let text = |seal: &Self| seal.key.as_ref().map(|key| key.expose().to_owned());
        text(self) == text(other) && self.key_file == other.key_file
    }
}

impl Default for Pg {
    fn default() -> Self {
        Self {
            url: "postgres://".to_owned(),
            pool: 10,
            ratio: 0.5,
            tls: true,
            address: None,
            mode: Mode::Shared,
            ranges: Vec::new(),
            ports: Vec::new(),
            retry: Retry::default(),
        }
    }
}

pub(super) fn settings(file: &str, vars: &[(&str, &str)]) -> Result<Settings, String> {
    let place = tempfile::NamedTempFile::new().unwrap();
    fs::write(place.path(), file).unwrap();
    let vars = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(Some(place.path()), vars).map_err(|error| {
        error
            .to_string()
            .replace(&place.path().display().to_string(), "FILE")
    })
}

pub(super) fn refusal(file: &str, vars: &[(&str, &str)]) -> String {
    settings(file, vars).unwrap_err()
}

#[test]
fn nothing_set_is_every_default() {
    let settings: Settings = load(None, []).unwrap();
    assert_eq!(
        settings,
        Settings {
            pg: Pg::default(),
            seal: Seal::default()
        }
    );
}

#[test]
fn a_variable_wins_over_the_file_and_leaves_its_neighbours() {
    let settings = settings(
        "[pg]\nurl = \"file\"\npool = 3",
        &[("SLUICE_PG__URL", "variable")],
    );
    assert_eq!(
        settings.unwrap().pg,
        Pg {
            url: "variable".to_owned(),
            pool: 3,
            ..Pg::default()
        }
    );
}

#[test]
fn a_variable_is_read_by_the_type_of_its_field() {
    let read = settings(
        "",
        &[
            ("SLUICE_PG__URL", "12345"),
            ("SLUICE_PG__POOL", " 7"),
            ("SLUICE_PG__RATIO", "0.25"),
            ("SLUICE_PG__TLS", "false"),
            ("SLUICE_PG__ADDRESS", "127.0.0.1:80"),
            ("SLUICE_PG__MODE", "local"),
            ("SLUICE_PG__RANGES", "10.0.0.0/8, fd00::/8"),
            ("SLUICE_PG__PORTS", "[80, 443]"),
            ("SLUICE_PG__RETRY__DELAY_MS", "1_000"),
            ("SLUICE_SEAL__KEY", "0000"),
        ],
    );
    let pg = Pg {
        url: "12345".to_owned(),
        pool: 7,
        ratio: 0.25,
        tls: false,
        address: Some("127.0.0.1:80".parse().unwrap()),
        mode: Mode::Local,
        ranges: vec!["10.0.0.0/8".to_owned(), "fd00::/8".to_owned()],
        ports: vec![80, 443],
        retry: Retry { delay_ms: 1000 },
    };
    let seal = Seal {
        key: Some("0000".to_owned().into()),
        key_file: None,
    };
    assert_eq!(read.unwrap(), Settings { pg, seal });
}

#[test]
fn an_unknown_name_is_told_with_its_path() {
    let told = refusal("[pg]\npol = 3", &[]);
    assert!(
        told.starts_with("pg.pol: unknown field `pol`, expected one of `url`, `pool`"),
        "{told}"
    );
    let told = refusal("[pg.retry]\ndelay = 3", &[]);
    assert_eq!(
        told,
        "pg.retry.delay: unknown field `delay`, expected `delay_ms`"
    );
    let told = refusal("[gp]\nurl = \"\"", &[]);
    assert_eq!(told, "gp: unknown field `gp`, expected `pg` or `seal`");
}

#[test]
fn an_unknown_variable_is_told_with_its_own_name() {
    let told = refusal("", &[("SLUICE_PG__POL", "3")]);
    assert!(told.starts_with("pg.pol: unknown field `pol`"), "{told}");
    assert!(told.ends_with("(set by SLUICE_PG__POL)"), "{told}");
    let told = refusal("", &[("SLUICE_GP__URL", "3")]);
    assert!(
        told.starts_with("gp: unknown field `gp`") && told.contains("SLUICE_GP__URL"),
        "{told}"
    );
    for name in [
        "SLUICE_PG",
        "SLUICE_",
        "SLUICE_PG__",
        "SLUICE___URL",
        "SLUICE_pg__url",
        "SLUICE_A_B",
    ] {
        let told = refusal("", &[(name, "3")]);
        assert!(
            told.starts_with(&format!("{name}: unknown variable, a setting is")),
            "{told}"
        );
    }
}

#[test]
fn a_wrong_type_is_told_with_what_was_expected() {
    let told = refusal("[pg]\npool = \"many\"", &[]);
    assert_eq!(told, "pg.pool: invalid type: string \"many\", expected u32");
    let told = refusal("[pg]\npool = 3", &[("SLUICE_PG__POOL", "many")]);
    assert_eq!(
        told,
        "pg.pool: invalid type: string \"many\", expected u32 (set by SLUICE_PG__POOL)"
    );
    let told = refusal("", &[("SLUICE_PG__PORTS", "[80, 70000]")]);
    assert!(
        told.starts_with("pg.ports[1]: ") && told.ends_with("(set by SLUICE_PG__PORTS)"),
        "{told}"
    );
    let told = refusal("[pg]\naddress = \"here\"", &[]);
    assert!(told.starts_with("pg.address: "), "{told}");
    let told = refusal("[pg]\nmode = \"loud\"", &[]);
    assert_eq!(
        told,
        "pg.mode: unknown variant `loud`, expected `shared` or `local`"
    );
}

#[test]
fn what_is_missing_is_told_with_its_section() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Needs {
        #[expect(dead_code, reason = "only its absence is of interest")]
        state: State,
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their absence is of interest")]
    struct State {
        directory: String,
        bytes_max: Option<u64>,
    }
    let told = |vars: Vec<(String, String)>| load::<Needs>(None, vars).unwrap_err().to_string();
    assert_eq!(told(Vec::new()), "missing field `state`");
    let vars = vec![("SLUICE_STATE__BYTES_MAX".to_owned(), "1".to_owned())];
    assert_eq!(told(vars), "state: missing field `directory`");
}

#[test]
fn a_section_and_a_field_cannot_stand_for_each_other() {
    assert_eq!(refusal("pg = 3", &[]), "pg: expected a section");
    let told = refusal("[pg]\nurl = \"one\"", &[("SLUICE_PG__URL__HOST", "two")]);
    assert_eq!(
        told,
        "SLUICE_PG__URL__HOST: names a field inside a setting that is no section"
    );
    let told = refusal("[pg.retry]\ndelay_ms = 1", &[("SLUICE_PG__RETRY", "two")]);
    assert_eq!(
        told,
        "SLUICE_PG__RETRY: names a section, set its fields one by one"
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let told = refusal("[pg]\nurl = \"one\"\npool = = 3\n", &[]);
    assert!(told.starts_with("FILE, line 3: "), "{told}");
    let told = refusal("[pg]\nurl = \"one\"\nurl = \"two\"\n", &[]);
    assert!(told.starts_with("FILE, line 3: duplicate key"), "{told}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let told = load::<Settings>(Some(Path::new("/no/such/file.toml")), [])
        .unwrap_err()
        .to_string();
    assert!(
        told.starts_with("cannot read /no/such/file.toml: "),
        "{told}"
    );
    let told = refusal(&"#".repeat(1 << 21), &[]);
    assert!(told.starts_with("cannot read FILE: "), "{told}");
}
