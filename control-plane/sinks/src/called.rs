//! What a way out may be called: its name is a part of what is kept in the database and of what is measured.

use crate::unsent::Unusable;

/// The longest name, in bytes. Full: it is refused.
const NAME_MAX: usize = 63;

/// The setting of the way out of this name, which stands in this section.
pub(crate) fn called(section: &str, name: &str) -> Result<String, Unusable> {
    let setting = format!("{section}.{name}");
    let letters = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_".contains(&it);
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(letters) {
        let why = "a name has 1 to 63 small letters, digits, - and _".to_owned();
        return Err(Unusable { setting, why });
    }
    Ok(setting)
}
