//! Where a credential may be exchanged for a token: lists of origins, as an operator writes them.

use crate::{base_url, violation::Violations};

/// The most origins that one provider may name.
pub const ORIGINS_MAX: usize = 16;

/// Reads a list. The result is sorted, each with its port written: `https://sts.example.com:443`.
pub fn list(texts: &[String], field: &str, violations: &mut Violations) -> Vec<String> {
    if texts.len() > ORIGINS_MAX {
        violations.add(field, format!("must hold at most {ORIGINS_MAX}"));
        return Vec::new();
    }
    let mut origins = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let Some(url) = violations.take(&field, base_url::parse(text)) else {
            continue;
        };
        let origin = url.origin().to_owned();
        if url.has_path() {
            violations.add(field, "must be an origin alone, without a path");
        } else if origins.contains(&origin) {
            violations.add(field, "must stand there once");
        } else {
            origins.push(origin);
        }
    }
    origins.sort();
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_in_one_way_and_each_bad_one_is_named() {
        let texts = [
            "https://b.example",
            "https://A.example:443",
            "http://c/x",
            "d",
            "https://a.example",
        ];
        let mut violations = Violations::new();
        let origins = list(&texts.map(str::to_owned), "f", &mut violations);
        assert_eq!(origins, ["https://a.example:443", "https://b.example:443"]);
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(fields, ["f[2]", "f[3]", "f[4]"]);
    }
}
