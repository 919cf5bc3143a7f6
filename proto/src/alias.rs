//! Aliases between policy and bytes.

use policy::alias::{ALIASES_MAX, Alias};

use crate::{
    malformed::{InvalidObject, filled, id, invalid},
    sync as wire,
};

pub(crate) fn policy(it: &Alias) -> wire::AliasPolicy {
    let version = it.version.map(|id| id.as_bytes().to_vec());
    wire::AliasPolicy {
        name: it.name.clone(),
        version_id: version.unwrap_or_default(),
    }
}

pub(crate) fn read(aliases: Vec<wire::AliasPolicy>) -> Result<Vec<Alias>, InvalidObject> {
    if aliases.len() > ALIASES_MAX {
        return Err(invalid("aliases are too many"));
    }
    let one = |it: wire::AliasPolicy| {
        filled(&it.name, "aliases.name")?;
        let version = match it.version_id.as_slice() {
            [] => None,
            bytes => Some(id(bytes, "aliases.version_id")?),
        };
        Ok(Alias {
            name: it.name,
            version,
        })
    };
    aliases.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use policy::id::VersionId;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_has_no_name_or_is_too_much_is_refused() {
        let alias = |version| Alias {
            name: "fast-latest".to_owned(),
            version,
        };
        let all = vec![alias(None), alias(Some(VersionId::from_bytes([7; 16])))];
        let wire: Vec<_> = all.iter().map(policy).collect();
        assert!(read(wire.clone()).is_ok_and(|read| read == all));
        let nameless = wire::AliasPolicy::default();
        assert!(read(vec![nameless]).is_err());
        let halved = wire::AliasPolicy {
            version_id: vec![7; 8],
            ..wire[1].clone()
        };
        assert!(read(vec![halved]).is_err());
        assert!(read(vec![wire[0].clone(); ALIASES_MAX + 1]).is_err());
    }
}
