//! Tables of cases in text files: lines such as `body: {}`, and an empty line between two cases.
//!
//! Knows how they are written, and nothing of what is tested with them.

/// One case: its lines, by name.
pub(crate) struct Case<'a>(Vec<(&'a str, &'a str)>);

/// The cases of a file. Lines that begin with `#` are for people.
pub(crate) fn cases(file: &str) -> impl Iterator<Item = Case<'_>> {
    let cases = file.split("\n\n").map(|case| {
        let lines = case.lines().filter(|line| !line.starts_with('#'));
        Case(lines.map(|line| line.split_once(": ").unwrap()).collect())
    });
    cases.filter(|Case(lines)| !lines.is_empty())
}

impl Case<'_> {
    /// What stands behind these names, which are all that there are. A letter `␤` stands for the end of a line.
    pub(crate) fn lines<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        let Self(lines) = self;
        let found: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, names, "{lines:?}");
        std::array::from_fn(|at| lines[at].1.replace('␤', "\n"))
    }
}
