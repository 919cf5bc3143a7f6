//! The list is the law: a module may name only modules that its `lib.rs` lists above it.

use crate::tree::Source;

/// The modules that a `lib.rs` lists, in order.
pub fn listed(lib: &str) -> Vec<String> {
    lib.lines()
        .filter_map(|line| {
            let line = line
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub ");
            line.strip_prefix("mod ")?
                .strip_suffix(';')
                .map(str::to_owned)
        })
        .collect()
}

/// The imports of `source` that name a module listed at or below its own. `crate_path` is the folder of the
/// crate's sources, such as `edge/worker/src/`.
pub fn upward(source: &Source, crate_path: &str, listed: &[String]) -> Vec<String> {
    let Some(inside) = source.path.strip_prefix(crate_path) else {
        return Vec::new();
    };
    if source.is_test() {
        return Vec::new();
    }
    let own = inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs");
    let Some(own_at) = listed.iter().position(|name| name == own) else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    for (line, code) in source.code() {
        for named in named_modules(code) {
            let at = listed.iter().position(|name| *name == named);
            if at.is_some_and(|at| at > own_at) {
                broken.push(format!(
                    "{}:{line}: `{own}` names `{named}`, listed below it",
                    source.path
                ));
            }
        }
        if code.contains("super::") {
            broken.push(format!("{}:{line}: a child names its parent", source.path));
        }
    }
    broken
}

fn named_modules(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_names_what_is_below_it_is_found() {
        let listed = listed("//! Head.\n\npub mod first;\nmod second;\n");
        assert_eq!(listed, ["first", "second"]);
        let text = "//! Head.\nuse crate::second::Thing;\n".to_owned();
        let first = Source {
            path: "a/src/first.rs".to_owned(),
            text: text.clone(),
        };
        assert_eq!(upward(&first, "a/src/", &listed).len(), 1);
        let second = Source {
            path: "a/src/second.rs".to_owned(),
            text,
        };
        assert!(upward(&second, "a/src/", &listed).is_empty());
    }
}
