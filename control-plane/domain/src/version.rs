//! What must be true of a version of a model.

use policy::{capability::Capabilities, model::WEIGHT_MAX};

use crate::{
    capability::{self, Said},
    name::ProviderName,
    segment::Slug,
    text,
    violation::Violations,
};

/// The most targets of a version.
pub const TARGETS_MAX: usize = 16;

/// The most entries of provenance.
pub const PROVENANCE_MAX: usize = 32;

/// The longest name of an entry of provenance, in characters.
pub const PROVENANCE_NAME_CHARACTERS_MAX: usize = 63;

/// The longest value of an entry of provenance, in characters.
pub const PROVENANCE_VALUE_CHARACTERS_MAX: usize = 256;

/// The entries of provenance of a version that comes from a source, which that says itself.
pub const PROVIDED_BY_SOURCE: [&str; 8] = [
    "source",
    "registry",
    "registered_model",
    "registry_version",
    "digest",
    "run_id",
    "artifact",
    "endpoint",
];

/// Where a version sends requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider, of the version's own organization.
    pub provider: ProviderName,
    /// The name by which it knows the model.
    pub provider_model: String,
    /// Its share among those that have one; zero means: none.
    pub weight: u16,
    /// What is said that the model can do there.
    pub capabilities: Capabilities,
}

/// A target as an operator writes it: provider, that provider's name for the model, weight, and what it can do.
pub type Asked<'a> = (&'a str, &'a str, i32, Said);

/// A version as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Where requests go, in order of preference; never empty.
    pub targets: Vec<Target>,
    /// Where it came from, sorted by name.
    pub provenance: Vec<(String, String)>,
}

/// Checks the targets and the provenance of a
/// version that is to be made in `organization`.
pub fn check<'a>(
    organization: &Slug,
    targets: &[Asked<'_>],
    provenance: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Checked, Violations> {
    let mut violations = Violations::new();
    let targets = check_targets(organization, targets, &mut violations);
    let provenance = check_provenance(provenance, &mut violations);
    violations.done()?;
    Ok(Checked {
        targets,
        provenance,
    })
}

fn check_targets(
    organization: &Slug,
    targets: &[Asked<'_>],
    violations: &mut Violations,
) -> Vec<Target> {
    if !(1..=TARGETS_MAX).contains(&targets.len()) {
        violations.add(
            "model_version.targets",
            format!("must hold 1 to {TARGETS_MAX}"),
        );
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(targets.len());
    for (at, (provider, provider_model, weight, said)) in targets.iter().enumerate() {
        let field = format!("model_version.targets[{at}].provider");
        let provider = violations.take(&field, ProviderName::parse(provider));
        if provider
            .as_ref()
            .is_some_and(|name| name.organization != *organization)
        {
            violations.add(field, "must be a provider of the same organization");
        }
        let field = format!("model_version.targets[{at}].provider_model");
        let provider_model = violations.take(&field, text::provider_model(provider_model));
        let weight = u16::try_from(*weight).ok();
        let weight = weight.filter(|it| *it <= WEIGHT_MAX);
        if weight.is_none() {
            let field = format!("model_version.targets[{at}].weight");
            violations.add(field, format!("must be 0 to {WEIGHT_MAX}"));
        }
        let field = format!("model_version.targets[{at}].capabilities");
        let capabilities = capability::check(&field, said, violations);
        if let (Some(provider), Some(provider_model), Some(weight), Some(capabilities)) =
            (provider, provider_model, weight, capabilities)
        {
            checked.push(Target {
                provider,
                provider_model,
                weight,
                capabilities,
            });
        }
    }
    checked
}

fn check_provenance<'a>(
    provenance: impl Iterator<Item = (&'a str, &'a str)>,
    violations: &mut Violations,
) -> Vec<(String, String)> {
    const FIELD: &str = "model_version.provenance";
    let mut checked: Vec<(String, String)> = Vec::new();
    for (name, value) in provenance {
        let name = violations.take(FIELD, text::filled(name, PROVENANCE_NAME_CHARACTERS_MAX));
        let value = violations.take(FIELD, text::within(value, PROVENANCE_VALUE_CHARACTERS_MAX));
        if let (Some(name), Some(value)) = (name, value) {
            checked.push((name.to_owned(), value.to_owned()));
        }
    }
    if checked.len() > PROVENANCE_MAX {
        violations.add(FIELD, format!("must hold at most {PROVENANCE_MAX}"));
    }
    checked.sort();
    checked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(provider: &'a str, model: &'a str, weight: i32) -> Asked<'a> {
        (provider, model, weight, Said::default())
    }

    fn fields(targets: &[Asked<'_>], provenance: &[(&str, &str)]) -> Vec<String> {
        let acme = Slug::parse("acme").unwrap();
        let violations = check(&acme, targets, provenance.iter().copied()).unwrap_err();
        violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect()
    }

    #[test]
    fn every_bad_target_is_named_by_its_place() {
        let own = "organizations/acme/providers/openai";
        let found = fields(
            &[
                asked(own, "gpt-4o", 1_001),
                asked("openai", "m", 0),
                asked("organizations/evil/providers/openai", "", 1_000),
            ],
            &[],
        );
        assert_eq!(
            found,
            [
                "model_version.targets[0].weight",
                "model_version.targets[1].provider",
                "model_version.targets[2].provider",
                "model_version.targets[2].provider_model",
            ]
        );
        assert_eq!(fields(&[], &[]), ["model_version.targets"]);
        let many = vec![asked(own, "m", 0); 17];
        assert_eq!(fields(&many, &[]), ["model_version.targets"]);
        let mut unable = asked(own, "m", 0);
        unable.3.can = vec![15];
        assert_eq!(
            fields(&[asked(own, "m", 0), unable], &[]),
            ["model_version.targets[1].capabilities.can"]
        );
    }

    #[test]
    fn provenance_is_bounded_and_sorted() {
        let acme = Slug::parse("acme").unwrap();
        let target = [asked("organizations/acme/providers/openai", "gpt-4o", 0)];
        let entries = [("git_sha", "abc"), ("ci_run", "7")];
        let checked = check(&acme, &target, entries.into_iter()).unwrap();
        assert_eq!(checked.provenance[0].0, "ci_run");
        assert_eq!(fields(&target, &[("", "")]), ["model_version.provenance"]);
        assert_eq!(
            fields(&target, &[("a", &"x".repeat(257))]),
            ["model_version.provenance"]
        );
        assert_eq!(
            fields(&target, &[("a", "b"); 33]),
            ["model_version.provenance"]
        );
    }
}
