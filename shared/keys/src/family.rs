//! The families of keys, and the prefix by which a reader or a secret scanner tells them apart.
//!
//! Knows nothing of what a family may do. No prefix is the beginning of another.

/// Who presents a key of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// An application, in earnest.
    Live,
    /// An application, trying things out.
    Test,
    /// An operator, to the admin API.
    Operator,
    /// An edge, to join the control plane.
    Join,
    /// A person, to choose a password.
    Activation,
}

/// All of them, in the order in which [`crate::parse`] tries them.
pub(crate) const FAMILIES: [Family; 5] = [
    Family::Live,
    Family::Test,
    Family::Operator,
    Family::Join,
    Family::Activation,
];

/// What the text of a key of this family begins with.
pub const fn prefix(family: Family) -> &'static str {
    match family {
        Family::Live => "slc_live_",
        Family::Test => "slc_test_",
        Family::Operator => "slo_",
        Family::Join => "slj_",
        Family::Activation => "sla_",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_begins_another() {
        for one in FAMILIES {
            for other in FAMILIES.into_iter().filter(|other| *other != one) {
                assert!(
                    !prefix(one).starts_with(prefix(other)),
                    "{one:?} and {other:?}"
                );
            }
        }
    }
}
