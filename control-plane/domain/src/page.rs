//! Pages of a list: how many, and after which.
//!
//! A token is the last id of the page before, written so that nobody is tempted to make one by hand.

use crate::violation::Violations;

/// The page size when the caller names none.
pub const PAGE_SIZE_DEFAULT: u32 = 50;

/// The largest page.
pub const PAGE_SIZE_MAX: u32 = 1_000;

/// A page token never stands for an id longer than this.
const ID_BYTES_MAX: usize = 128;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The most rows to return, 1 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// The id after which it starts; empty means: from the start.
    pub after: String,
}

// === impl Page ===

impl Page {
    /// Reads `page_size` and `page_token`. Larger sizes than the largest are cut to it.
    pub fn parse(page_size: i32, page_token: &str, violations: &mut Violations) -> Self {
        let size = match u32::try_from(page_size) {
            Ok(0) => PAGE_SIZE_DEFAULT,
            Ok(size) => size.min(PAGE_SIZE_MAX),
            Err(_) => {
                violations.add("page_size", "must not be negative");
                PAGE_SIZE_DEFAULT
            }
        };
        let after = read(page_token).unwrap_or_else(|| {
            violations.add(
                "page_token",
                "must be the `next_page_token` of the page before",
            );
            String::new()
        });
        Self { size, after }
    }
}

/// The token of the page that starts after this id.
pub fn token(last: &str) -> String {
    last.bytes()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    })
}

fn read(token: &str) -> Option<String> {
    if !token.len().is_multiple_of(2) || token.len() > 2 * ID_BYTES_MAX {
        return None;
    }
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    let bytes = token.as_bytes().chunks_exact(2).map(|pair| {
        let value = nibble(pair[0])? * 16 + nibble(pair[1])?;
        u8::try_from(value).ok().filter(u8::is_ascii_graphic)
    });
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_the_id() {
        let mut violations = Violations::new();
        let page = Page::parse(0, &token("gpt-4o:mini"), &mut violations);
        assert_eq!(
            page,
            Page {
                size: PAGE_SIZE_DEFAULT,
                after: "gpt-4o:mini".to_owned()
            }
        );
        assert!(violations.is_empty());
    }

    #[test]
    fn sizes_are_cut_and_nonsense_is_refused() {
        let mut violations = Violations::new();
        assert_eq!(Page::parse(5_000, "", &mut violations).size, PAGE_SIZE_MAX);
        assert!(violations.is_empty());
        for (size, token) in [
            (-1, ""),
            (1, "0"),
            (1, "zz"),
            (1, "00"),
            (1, &"61".repeat(129)),
        ] {
            let mut violations = Violations::new();
            Page::parse(size, token, &mut violations);
            assert_eq!(violations.into_vec().len(), 1, "{size} {token}");
        }
    }
}
