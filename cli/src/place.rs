//! Resource names, whole or short: `acme` where an organization is meant, `chat@v1` where a version is.
//!
//! Knows how names are built and what `--organization` and `--project` stand for; knows nothing of what
//! exists. A text with a `/` in it is a whole name and goes to the control plane as it is.

use clap::Args;

use crate::failure::Failure;

/// Where short names are looked for.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// The organization that short names belong to
    #[arg(long, global = true, env = "SLUICE_ORGANIZATION", value_name = "NAME")]
    pub organization: Option<String>,
    /// The project that short names belong to
    #[arg(long, global = true, env = "SLUICE_PROJECT", value_name = "NAME")]
    pub project: Option<String>,
}

/// The collections in a name, from the outside in, such as `organizations`, `projects`, `keys`.
pub type Collections = &'static [&'static str];

// === impl Place ===

impl Place {
    /// The whole name of what `text` names.
    pub fn name(&self, collections: Collections, text: &str) -> Result<String, Failure> {
        if text.is_empty() {
            return Err(Failure::usage("a name is empty"));
        }
        if text.contains('/') {
            return whole(collections, text);
        }
        if let (["organizations", "models", within], Some((model, id))) =
            (collections, text.split_once('@'))
        {
            let model = self.name(&collections[..2], model)?;
            return Ok(format!("{model}/{within}/{id}"));
        }
        let collection = collections.last().unwrap_or(&"");
        match self.parent(collections)? {
            parent if parent.is_empty() => Ok(format!("{collection}/{text}")),
            parent => Ok(format!("{parent}/{collection}/{text}")),
        }
    }

    /// The whole name of what things with such names stand in; empty when they stand in nothing.
    pub fn parent(&self, collections: Collections) -> Result<String, Failure> {
        match collections {
            [.., "organizations", _] => self.organization(),
            [.., "projects", _] => {
                let project = self.project.as_deref().ok_or_else(|| missing("project"))?;
                self.name(&collections[..collections.len() - 1], project)
            }
            [.., "models", _] => Err(Failure::usage(
                "which model? write a version as MODEL@VERSION, a rollout, experiment or shadow as MODEL@ID",
            )),
            _ => Ok(String::new()),
        }
    }

    /// The whole name of a version of this model, which is named by its id, as MODEL@VERSION or whole.
    pub fn version(&self, model: &str, text: &str) -> Result<String, Failure> {
        if text.contains(['/', '@']) {
            return self.name(&["organizations", "models", "versions"], text);
        }
        Ok(format!("{model}/versions/{text}"))
    }

    /// The whole name of the organization.
    pub fn organization(&self) -> Result<String, Failure> {
        // A project's whole name says which organization is meant.
        let of_project = || {
            let project = self.project.as_deref()?;
            let mut parts = project.split('/');
            (parts.next()? == "organizations").then_some(parts.next()?)
        };
        let organization = self.organization.as_deref().or_else(of_project);
        self.name(
            &["organizations"],
            organization.ok_or_else(|| missing("organization"))?,
        )
    }

    /// The whole name of a limit's scope: `organization`, `project`, `projects/ID`, `keys/ID` of the project,
    /// `projects/ID/keys/ID`, or a whole name.
    pub fn scope(&self, text: &str) -> Result<String, Failure> {
        match text.split('/').next().unwrap_or_default() {
            "organization" if text == "organization" => self.organization(),
            "project" if text == "project" => self.parent(&["organizations", "projects", "keys"]),
            "projects" => Ok(format!("{}/{text}", self.organization()?)),
            "keys" => Ok(format!(
                "{}/{text}",
                self.parent(&["organizations", "projects", "keys"])?
            )),
            "organizations" => Ok(text.to_owned()),
            _ => Err(Failure::usage(format!(
                "`{text}` is no scope: write organization, project, keys/ID, projects/ID or a whole name"
            ))),
        }
    }
}

/// A whole name's parent and last segment.
pub fn split(name: &str) -> (&str, &str) {
    let (rest, id) = name.rsplit_once('/').unwrap_or(("", name));
    (rest.rsplit_once('/').map_or("", |(parent, _)| parent), id)
}

fn whole(collections: Collections, text: &str) -> Result<String, Failure> {
    let mut segments = text.split('/');
    let fits = collections.iter().all(|collection| {
        segments.next() == Some(collection) && segments.next().is_some_and(|id| !id.is_empty())
    });
    if fits && segments.next().is_none() {
        return Ok(text.to_owned());
    }
    let shape = collections.join("/…/");
    Err(Failure::usage(format!(
        "`{text}` is not a name of the form {shape}/…"
    )))
}

fn missing(what: &str) -> Failure {
    let variable = what.to_uppercase();
    Failure::usage(format!(
        "which {what}? give --{what} or set SLUICE_{variable}, or write the whole name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Collections = &["organizations", "projects", "keys"];
    const MODELS: Collections = &["organizations", "models"];
    const VERSIONS: Collections = &["organizations", "models", "versions"];

    fn place(organization: &str, project: &str) -> Place {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Place {
            organization: given(organization),
            project: given(project),
        }
    }

    #[test]
    fn short_names_stand_where_the_options_say() {
        let place = place("acme", "web");
        assert_eq!(
            place.name(KEYS, "k1").unwrap(),
            "organizations/acme/projects/web/keys/k1"
        );
        assert_eq!(
            place.name(MODELS, "gpt-4o").unwrap(),
            "organizations/acme/models/gpt-4o"
        );
        let version = place.name(VERSIONS, "gpt-4o@v2").unwrap();
        assert_eq!(version, "organizations/acme/models/gpt-4o/versions/v2");
        assert_eq!(place.name(&["edges"], "edge-1").unwrap(), "edges/edge-1");
        assert_eq!(split(&version), ("organizations/acme/models/gpt-4o", "v2"));
        assert_eq!(split("edges/edge-1"), ("", "edge-1"));
    }

    #[test]
    fn whole_names_need_no_options_and_must_fit() {
        let nowhere = place("", "");
        let name = "organizations/acme/projects/web/keys/k1";
        assert_eq!(nowhere.name(KEYS, name).unwrap(), name);
        for wrong in [
            "organizations/acme/projects/web",
            "a/b",
            "organizations//projects/w/keys/k",
        ] {
            assert!(nowhere.name(KEYS, wrong).is_err(), "{wrong}");
        }
        let in_project = place("", "organizations/acme/projects/web");
        assert_eq!(in_project.name(KEYS, "k1").unwrap(), name);
        assert_eq!(in_project.organization().unwrap(), "organizations/acme");
        assert_eq!(
            place("organizations/acme", "web").name(KEYS, "k1").unwrap(),
            name
        );
    }

    #[test]
    fn what_is_missing_is_asked_for_by_its_option() {
        for (place, collections, option) in [
            (place("", "web"), KEYS, "--organization"),
            (place("acme", ""), KEYS, "--project"),
            (place("", ""), MODELS, "--organization"),
            (place("acme", ""), VERSIONS, "MODEL@VERSION"),
        ] {
            let failure = place.name(collections, "x").unwrap_err();
            assert!(failure.to_string().contains(option), "{failure}");
            assert_eq!(failure.exit() as u8, 2);
        }
    }

    #[test]
    fn a_scope_is_a_word_a_short_name_or_a_whole_one() {
        let place = place("acme", "web");
        for (text, name) in [
            ("organization", "organizations/acme"),
            ("project", "organizations/acme/projects/web"),
            ("projects/api", "organizations/acme/projects/api"),
            ("keys/k1", "organizations/acme/projects/web/keys/k1"),
            (
                "projects/api/keys/k1",
                "organizations/acme/projects/api/keys/k1",
            ),
            ("organizations/other", "organizations/other"),
        ] {
            assert_eq!(place.scope(text).unwrap(), name);
        }
        assert!(place.scope("everything").is_err());
    }
}
