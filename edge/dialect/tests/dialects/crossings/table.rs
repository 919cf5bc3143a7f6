//! The table of what crosses and what does not, as `docs/dialects.md` has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::Path,
};

use dialect::neutral::{Family, Unsupported};

/// What was met, by client and provider.
#[derive(Default)]
pub(crate) struct Table {
    pairs: BTreeMap<(Family, Family), Pair>,
}

#[derive(Default)]
struct Pair {
    crossed: u32,
    dropped: BTreeSet<String>,
    refused: BTreeSet<String>,
}

const BEGIN: &str = "<!-- table: written by the tests -->\n";
const END: &str = "<!-- end of table -->\n";

// === impl Table ===

impl Table {
    /// A request crossed, and lost these.
    pub(crate) fn crossed(&mut self, client: Family, provider: Family, dropped: &[String]) {
        let pair = self.pairs.entry((client, provider)).or_default();
        pair.crossed += 1;
        pair.dropped
            .extend(dropped.iter().map(|path| general(path)));
    }

    /// A request could not cross.
    pub(crate) fn refused(&mut self, client: Family, provider: Family, refused: &Unsupported) {
        let pair = self.pairs.entry((client, provider)).or_default();
        pair.refused
            .insert(format!("`{}` ({})", general(&refused.at), refused.why));
    }

    /// Compares with the document, or writes it.
    pub(crate) fn check(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md");
        let document = fs::read_to_string(&path).expect("docs/dialects.md");
        let (before, rest) = document.split_once(BEGIN).expect("the table's beginning");
        let (_, after) = rest.split_once(END).expect("the table's end");
        let written = format!("{before}{BEGIN}{}{END}{after}", self.text());
        if env::var_os("SLUICE_WRITE_DOCS").is_some() {
            fs::write(&path, written).expect("the document is written");
        } else {
            assert!(
                written == document,
                "docs/dialects.md is not what the fixtures say: run this test with SLUICE_WRITE_DOCS=1"
            );
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for ((client, provider), pair) in &self.pairs {
            let list = |all: &BTreeSet<String>, quote: &str| {
                let all: Vec<String> = all.iter().map(|it| format!("{quote}{it}{quote}")).collect();
                if all.is_empty() {
                    "nothing".to_owned()
                } else {
                    all.join(", ")
                }
            };
            // Writing into a string cannot fail.
            let _written = write!(
                text,
                "\n### {client} → {provider}\n\n{} requests of ours cross. Left out, and named: {}. Refused: {}.\n",
                pair.crossed,
                list(&pair.dropped, "`"),
                list(&pair.refused, "")
            );
        }
        text.push('\n');
        text
    }
}

/// A path without the numbers of its elements.
fn general(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in path.chars() {
        match character {
            '[' => inside = true,
            ']' => {
                inside = false;
                text.push_str("[]");
            }
            _ if inside => {}
            _ => text.push(character),
        }
    }
    text
}
