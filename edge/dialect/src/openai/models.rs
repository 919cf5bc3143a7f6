//! The list of models, and one of them, as `OpenAI` answers `/v1/models`.
//!
//! Knows nothing of which models there are or who may see them: the caller gives what is to be shown.

use payload::scalar::quote;

/// A list of models: name, when it was made in seconds since 1970, and whose it is.
pub fn list<'a>(models: impl Iterator<Item = (&'a str, u64, &'a str)>) -> Vec<u8> {
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    for (at, (name, created, owner)) in models.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(&mut out, name, created, owner);
    }
    out.extend(b"]}");
    out
}

/// One model. `created` is in seconds since 1970.
pub fn one(name: &str, created: u64, owner: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(80 + name.len() + owner.len());
    write(&mut out, name, created, owner);
    out
}

fn write(out: &mut Vec<u8>, name: &str, created: u64, owner: &str) {
    out.extend(b"{\"id\":");
    quote(out, name);
    out.extend(b",\"object\":\"model\",\"created\":");
    out.extend(created.to_string().as_bytes());
    out.extend(b",\"owned_by\":");
    quote(out, owner);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_in_the_order_given() {
        let body = list([("fast", 7, "acme"), ("a\"b", 8, "acme")].into_iter());
        let list: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"][0]["created"], 7);
        assert_eq!(list["data"][1]["id"], "a\"b");
        assert_eq!(
            list["data"][1],
            serde_json::from_slice::<serde_json::Value>(&one("a\"b", 8, "acme")).unwrap()
        );
        assert_eq!(
            super::list(std::iter::empty()),
            br#"{"object":"list","data":[]}"#
        );
    }
}
