//! Every key of ours in Redis, spelled here and nowhere else.
//!
//! All keys of one organization carry its id as hash tag, so that one script may touch them together on a
//! cluster. Knows nothing of what is kept under a key. A change of what is kept takes a new version here, so
//! that edges of two builds never read each other's shapes; save what stands behind all that the other build reads, and is to be
//! charged the same without it.

use policy::id::{CounterId, OrganizationId, ShelfId};

/// What every key starts with: whose it is, and the version of what is kept.
pub const PREFIX: &str = "sluice:5:";

/// Written by a probe, to see that Redis takes writes.
pub const PROBE: &str = "sluice:5:probe";

/// Since when Redis has forgotten nothing, in its own milliseconds, noted when it is dialled. The one key that is no
/// organization's; the scripts find it by what every key starts with. On a cluster only one server can tell it.
pub const WHOLE: &str = "sluice:5:whole";

/// How many characters an id has in hex.
const ID_CHARACTERS: usize = 32;

/// The hash of an organization's reservations: request id to what it holds. The scripts rely on its last segment.
pub fn held(organization: OrganizationId) -> Vec<u8> {
    spelled(organization, "held", None)
}

/// The sorted set of an organization's reservations: request id by the time its lease ends.
pub fn due(organization: OrganizationId) -> Vec<u8> {
    spelled(organization, "due", None)
}

/// The hash of an organization's shelves that operators name: by their ids, what is in the counts of each. The scripts rely on
/// its last segment.
pub fn shelves(organization: OrganizationId) -> Vec<u8> {
    spelled(organization, "shelves", None)
}

/// A shelf of which there is one for each key or each end user, and which so has a key of its own, that expires by itself.
pub fn shelf(organization: OrganizationId, shelf: ShelfId) -> Vec<u8> {
    spelled(organization, "shelf:", Some(shelf.as_bytes()))
}

/// The same of one organization, noted where [`WHOLE`] is not known. The scripts find it by what all keys of
/// the organization start with: on a cluster one server may forget and another not.
pub fn whole(organization: OrganizationId) -> Vec<u8> {
    spelled(organization, "whole", None)
}

/// The slots of one count: a hash of how many each owner has.
pub fn slots(organization: OrganizationId, counter: CounterId) -> Vec<u8> {
    spelled(organization, "slots:", Some(counter.as_bytes()))
}

/// What edges say of an organization's targets: a sorted set of words by when each of them is over.
pub fn hints(organization: OrganizationId) -> Vec<u8> {
    spelled(organization, "hints", None)
}

/// Sixteen bytes in hex. A request's id is spelled like this, too.
pub fn hex(bytes: &[u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// The sixteen bytes that are spelled so; `None` where they are not.
pub(crate) fn bytes(hex: &[u8]) -> Option<[u8; 16]> {
    let (pairs, []) = hex.as_chunks::<2>() else {
        return None;
    };
    let digit = |it: u8| char::from(it).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(16 * digit(*high)? + digit(*low)?).ok();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?;
    bytes.try_into().ok()
}

fn spelled(organization: OrganizationId, noun: &str, id: Option<&[u8; 16]>) -> Vec<u8> {
    let mut key = Vec::with_capacity(PREFIX.len() + noun.len() + 2 * ID_CHARACTERS + 3);
    key.extend_from_slice(PREFIX.as_bytes());
    key.push(b'{');
    key.extend_from_slice(&hex(organization.as_bytes()));
    key.extend_from_slice(b"}:");
    key.extend_from_slice(noun.as_bytes());
    if let Some(id) = id {
        key.extend_from_slice(&hex(id));
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_as_operators_know_them() {
        let organization = OrganizationId::from_bytes([0x0a; 16]);
        let tag = "{0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a}";
        assert_eq!(
            held(organization),
            format!("sluice:5:{tag}:held").into_bytes()
        );
        assert_eq!(
            due(organization),
            format!("sluice:5:{tag}:due").into_bytes()
        );
        assert_eq!(
            shelves(organization),
            format!("sluice:5:{tag}:shelves").into_bytes()
        );
        assert_eq!(
            shelf(organization, ShelfId::from_bytes([0xf1; 16])),
            format!("sluice:5:{tag}:shelf:f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1").into_bytes()
        );
        assert_eq!(
            hints(organization),
            format!("sluice:5:{tag}:hints").into_bytes()
        );
        assert_eq!(PROBE, format!("{PREFIX}probe"));
        assert_eq!(WHOLE, format!("{PREFIX}whole"));
        assert_eq!(PREFIX.len(), 9, "as the scripts cut it");
        let whole = format!("{PREFIX}{tag}:whole");
        assert_eq!(whole.len() - "whole".len(), 44, "as the scripts cut it");
        assert_eq!(super::whole(organization), whole.into_bytes());
    }

    #[test]
    fn hex_is_the_hex_of_an_id() {
        let id = CounterId::from_bytes(*b"\x00\x01\x7f\x80\xff0123456789a");
        assert_eq!(hex(id.as_bytes()).as_slice(), id.to_string().as_bytes());
        assert_eq!(bytes(&hex(id.as_bytes())), Some(*id.as_bytes()));
        assert_eq!(
            (bytes(b"0"), bytes(b"zz"), bytes(b"00")),
            (None, None, None)
        );
    }
}
