//! Lists of regions, as an operator writes them.

use policy::region::Region;

use crate::violation::Violations;

/// The most regions that one thing may be for.
pub const REGIONS_MAX: usize = 64;

/// Reads a list. Empty means: every region. The result is sorted.
pub fn list(texts: &[String], field: &str, violations: &mut Violations) -> Vec<Region> {
    if texts.len() > REGIONS_MAX {
        violations.add(field, format!("must hold at most {REGIONS_MAX}"));
        return Vec::new();
    }
    let mut regions = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let Some(region) = violations.take(&field, Region::try_from(text.as_str())) else {
            continue;
        };
        if regions.contains(&region) {
            violations.add(field, "must stand there once");
        } else {
            regions.push(region);
        }
    }
    regions.sort();
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_region_is_named() {
        let texts = ["eu", "", "us", "eu", "EU"].map(str::to_owned);
        let mut violations = Violations::new();
        let regions = list(&texts, "provider.regions", &mut violations);
        assert_eq!(regions.len(), 2);
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(
            fields,
            [
                "provider.regions[1]",
                "provider.regions[3]",
                "provider.regions[4]"
            ]
        );
    }
}
