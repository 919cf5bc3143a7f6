//! One file of declarations: TOML with `[[project]]`, `[[provider]]`, `[[model]]` and `[[limit]]`, and perhaps `organization`.
//!
//! All that is wrong with it is told at once, by line and field. Knows nothing of other files.

use std::fmt;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    admin::declarations::{
        kind::{self, CREDENTIAL_VARIABLE, KINDS, Kind},
        value,
    },
    place::Place,
};

/// The longest id of anything, in bytes.
const ID_BYTES_MAX: usize = 128;

/// What is said of a variable that is none.
const NO_VARIABLE: &str = "credential_env: must name a variable, in capital letters, digits and `_`, that holds the credential where `apply` runs";

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, as it was found.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// Something that should be.
#[derive(Debug, Clone)]
pub struct Declared {
    /// What it is.
    pub kind: &'static Kind,
    /// Its whole name.
    pub name: String,
    /// It, with all that is usual where the file says nothing.
    pub wanted: DynamicMessage,
    /// The fields that the file names.
    pub named: Vec<&'static str>,
    /// The variable that holds its credential.
    pub credential_env: Option<String>,
    /// Where it is said.
    pub source: Source,
}

/// A file that is TOML.
pub struct Document<'t> {
    file: String,
    text: &'t str,
    table: DeTable<'t>,
}

/// Where short names stand, and what messages look like.
pub struct Ground<'g> {
    /// The organization of the folder.
    pub place: &'g Place,
    /// The contract.
    pub pool: &'g DescriptorPool,
}

// === impl Document ===

impl<'t> Document<'t> {
    /// Reads a text. Why it is no TOML is told without the line itself, which may hold a secret that went astray.
    pub fn parse(file: String, text: &'t str) -> Result<Self, String> {
        match DeTable::parse(text) {
            Ok(table) => {
                let table = table.into_inner();
                Ok(Self { file, text, table })
            }
            Err(why) => {
                let at = why.span().map_or(0, |span| span.start);
                Err(format!("{file}:{}: is no TOML here", line(text, at)))
            }
        }
    }

    /// The organization that the file names.
    pub fn organization(&self) -> Result<Option<&str>, String> {
        match self.table.get("organization") {
            None => Ok(None),
            Some(given) => match given.get_ref() {
                DeValue::String(text) => Ok(Some(text)),
                _ => {
                    Err(self.problem(given.span().start, "organization: must be a text in quotes"))
                }
            },
        }
    }

    /// What it declares. What is wrong with it is added to `problems`.
    pub fn declared(&self, ground: &Ground<'_>, problems: &mut Vec<String>) -> Vec<Declared> {
        let mut all = Vec::new();
        for (key, value) in &self.table {
            let name: &str = key.get_ref();
            if name == "organization" {
                continue;
            }
            let Ok(kind) = kind::kind(name) else {
                let kinds = KINDS.each_ref().map(|kind| format!("[[{}]]", kind.word));
                let why = format!(
                    "`{name}` is not known; there are `organization` and {}. The file of a version, for `models push`, stands elsewhere",
                    kinds.join(", ")
                );
                problems.push(self.problem(key.span().start, &why));
                continue;
            };
            let tables = match value.get_ref() {
                DeValue::Array(tables) => tables.iter().collect(),
                _ => Vec::new(),
            };
            if tables.is_empty() {
                let why = format!("write [[{name}]] for each {name}");
                problems.push(self.problem(key.span().start, &why));
            }
            for table in tables {
                match self.one(kind, table, ground) {
                    Ok(declared) => all.push(declared),
                    Err(wrong) => problems.extend(wrong),
                }
            }
        }
        all
    }

    fn one(
        &self,
        kind: &'static Kind,
        given: &Spanned<DeValue<'t>>,
        ground: &Ground<'_>,
    ) -> Result<Declared, Vec<String>> {
        let start = given.span().start;
        let at_start = |why: &str| vec![self.problem(start, why)];
        let DeValue::Table(table) = given.get_ref() else {
            return Err(at_start(&format!("write [[{}]] for each", kind.word)));
        };
        let id = self.id(kind, table).map_err(|why| vec![why]);
        let id = id?.ok_or_else(|| at_start(&format!("the {} has no `id`", kind.word)))?;
        let name = ground.place.name(kind.noun.collections, id);
        let name = name.map_err(|why| at_start(&why.to_string()))?;
        let shape = format!("sluice.admin.v1.{}", kind.noun.message);
        let shape = ground.pool.get_message_by_name(&shape);
        let shape = shape.ok_or_else(|| at_start("this build is broken"))?;
        let mut declared = Declared {
            kind,
            name,
            wanted: DynamicMessage::new(shape),
            named: Vec::new(),
            credential_env: None,
            source: Source {
                file: self.file.clone(),
                line: line(self.text, start),
            },
        };
        let mut problems = Vec::new();
        for (key, value) in table {
            let field: &str = key.get_ref();
            if let Err((at, why)) = take(&mut declared, field, value) {
                let at = at.unwrap_or(key.span().start);
                problems.push(self.problem(at, &format!("{} `{id}`: {why}", kind.word)));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let named = (kind.named)(&declared.wanted, &declared.name, ground.place);
        let named = named.map_err(|(field, why)| {
            let root = field.split(['.', '[']).next().unwrap_or_default();
            let at = table.get(root).map_or(start, |value| value.span().start);
            let why = format!("{} `{id}`: {field}: {why}", kind.word);
            vec![self.problem(at, &why)]
        });
        let usual = (kind.usual)(&named?).map_err(|why| at_start(&why.to_string()));
        declared.wanted = usual?;
        Ok(declared)
    }

    fn id<'a>(&self, kind: &Kind, table: &'a DeTable<'t>) -> Result<Option<&'a str>, String> {
        let Some(given) = table.get("id") else {
            return Ok(None);
        };
        let fits = |text: &str| {
            let known = |it: u8| it.is_ascii_alphanumeric() || b"-._:".contains(&it);
            !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(known)
        };
        match given.get_ref() {
            DeValue::String(text) if fits(text) => Ok(Some(text)),
            _ => {
                let why = format!(
                    "id: must be that of a {} in quotes, without what it stands in",
                    kind.word
                );
                Err(self.problem(given.span().start, &why))
            }
        }
    }

    fn problem(&self, at: usize, why: &str) -> String {
        format!("{}:{}: {why}", self.file, line(self.text, at))
    }
}

/// Takes a field into a declaration. Where it is wrong, says where, if that is not at its name, and why.
fn take(
    declared: &mut Declared,
    field: &str,
    given: &Spanned<DeValue<'_>>,
) -> Result<(), (Option<usize>, String)> {
    let kind = declared.kind;
    if field == "id" {
        return Ok(());
    }
    if field == CREDENTIAL_VARIABLE && kind.has_credential() {
        let variable = variable(given);
        declared.credential_env = Some(variable.ok_or_else(|| (None, NO_VARIABLE.to_owned()))?);
        return Ok(());
    }
    if field == "credential" {
        let why = format!(
            "credential: no secret stands in a file; name the variable that holds it by `{CREDENTIAL_VARIABLE}`"
        );
        return Err((None, why));
    }
    let known = kind.fields.iter().find(|(name, _)| *name == field);
    let shape = declared.wanted.descriptor().get_field_by_name(field);
    let (Some((name, _)), Some(shape)) = (known, shape) else {
        let names: Vec<&str> = kind.fields.iter().map(|(name, _)| *name).collect();
        let why = format!(
            "`{field}` cannot be declared; there are id, {}",
            names.join(", ")
        );
        return Err((None, why));
    };
    let value = value::read(&shape, field, given)
        .map_err(|wrong| (Some(wrong.at), format!("{}: {}", wrong.field, wrong.why)))?;
    let set = declared.wanted.try_set_field(&shape, value);
    set.map_err(|why| (None, why.to_string()))?;
    declared.named.push(name);
    Ok(())
}

/// The name of a variable. In capitals, as no credential is, so that one which went astray is not taken for a name and shown.
fn variable(given: &Spanned<DeValue<'_>>) -> Option<String> {
    let DeValue::String(text) = given.get_ref() else {
        return None;
    };
    let known = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    let fits = (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(known);
    fits.then(|| text.to_string())
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().split('\n').count()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Declared>, Vec<String>> {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let place = Place {
            organization: Some("acme".to_owned()),
            project: Some("web".to_owned()),
        };
        let document = Document::parse("a.toml".to_owned(), text).map_err(|why| vec![why])?;
        let ground = Ground {
            place: &place,
            pool: &pool,
        };
        let mut problems = Vec::new();
        let declared = document.declared(&ground, &mut problems);
        if problems.is_empty() {
            Ok(declared)
        } else {
            Err(problems)
        }
    }

    #[test]
    fn everything_is_read_as_the_contract_has_it() {
        let text = "
organization = 'acme'
[[limit]]
id = 'rpm'
scope = 'projects/web'
unit = 'requests'
amount = 6_000
window = 'minute'
each = ['key', 'project']
overrides = [{ key = 'projects/web/keys/k', amount = 5, expire_time = 2030-01-01T00:00:00Z }]
[[project]]
id = 'web'
traffic_class = 'critical'
key_rotation = { period = '90d' }
[[model]]
id = 'chat'
rules = [{ condition = 'stream', version = 'v2' }, { condition = 'true', version = 'other@v1' }]
[[provider]]
id = 'main'
kind = 'openai'
credential_env = 'OPENAI_API_KEY'
";
        let all = read(text).unwrap();
        let of = |word: &str| all.iter().find(|it| it.kind.word == word).unwrap();
        let limit: proto::admin::Limit = of("limit").wanted.transcode_to().unwrap();
        assert_eq!(limit.scope, "organizations/acme/projects/web");
        assert_eq!((limit.amount, limit.burst), (6_000, 600));
        assert_eq!(limit.each, [1, 2]);
        let other = &limit.overrides[0];
        assert_eq!(other.key, "organizations/acme/projects/web/keys/k");
        assert_eq!(
            (other.burst, other.expire_time.as_ref().unwrap().seconds),
            (1, 1_893_456_000)
        );
        assert_eq!(of("limit").source.to_string(), "a.toml:3");
        let project: proto::admin::Project = of("project").wanted.transcode_to().unwrap();
        assert_eq!((project.traffic_class, project.traffic_share), (1, 1));
        let model: proto::admin::Model = of("model").wanted.transcode_to().unwrap();
        assert_eq!(
            model.rules[0].version,
            "organizations/acme/models/chat/versions/v2"
        );
        assert_eq!(
            model.rules[1].version,
            "organizations/acme/models/other/versions/v1"
        );
        let provider = of("provider");
        assert_eq!(provider.credential_env.as_deref(), Some("OPENAI_API_KEY"));
        let wire: proto::admin::Provider = provider.wanted.transcode_to().unwrap();
        assert_eq!(wire.base_url, "https://api.openai.com/v1");
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_field_and_no_value_is_shown() {
        for (text, line, says) in [
            (
                "[[project]]\nid = 'web'\ncolour = 1",
                3,
                "`colour` cannot be declared",
            ),
            ("[[project]]\nid = 'web'\nuid = 'sk-x'", 3, "`uid` cannot"),
            (
                "[[project]]\nid = 'web'\ntraffic_class = 'sk-x'",
                3,
                "critical, standard, batch",
            ),
            ("[[project]]\n\ndisplay_name = 'sk-x'", 1, "no `id`"),
            ("[[project]]\nid = 'a/b'", 2, "id: "),
            (
                "[[project]]\nid = 'a'\nkey_rotation = { perod = '9d' }",
                3,
                "key_rotation.perod",
            ),
            (
                "[[project]]\nid = 'a'\nkey_rotation = { period = 'sk-x' }",
                3,
                "key_rotation.period",
            ),
            (
                "[[provider]]\nid = 'a'\ncredential = 'sk-x'",
                3,
                "no secret stands in a file",
            ),
            (
                "[[provider]]\nid = 'a'\ncredential_env = 'sk-x'",
                3,
                "must name a variable",
            ),
            (
                "[[limit]]\nid = 'a'\nscope = 'project'",
                3,
                "scope: write organization",
            ),
            (
                "[[limit]]\nid = 'a'\namount = '7'",
                3,
                "amount: must be a whole number",
            ),
            ("[project]\nid = 'web'", 1, "write [[project]]"),
            ("[[target]]\nprovider = 'a'", 1, "stands elsewhere"),
            ("[[project]]\nid = 'web\ntoken = 'sk-x", 2, "is no TOML"),
            ("[[project]]\nid = 'web'\nid = 'sk-x'", 3, "is no TOML"),
        ] {
            let problems = read(text).unwrap_err().join("\n");
            assert!(
                problems.starts_with(&format!("a.toml:{line}: ")),
                "{text}: {problems}"
            );
            assert!(problems.contains(says), "{text}: {problems}");
            assert!(!problems.contains("sk-x"), "{problems}");
        }
    }
}
