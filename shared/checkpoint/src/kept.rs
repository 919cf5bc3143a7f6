//! What a witness keeps: the keys that it knows, and the newest checkpoint of each chain.
//!
//! Owns the rule what contradicts what. The first key that it hears of is believed, every other one only by the word of a key that
//! it knows. Keeps no file; gives and reads the text of one.

use std::{collections::BTreeMap, fmt};

use crate::{
    hex,
    key::{Endorsed, Public, Signature},
    signed::Signed,
};

/// The most keys that are known.
const KEYS_MAX: usize = 256; // Full: another one is refused, as one that nobody answers for.

/// The most chains of which a checkpoint is kept.
const CHAINS_MAX: usize = 1_024; // Full: the one that has been quiet for longest makes room.

/// What a witness has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    keys: Vec<Endorsed>,
    newest: BTreeMap<String, Signed>,
}

/// Why something is not taken: it contradicts what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// A key for which nobody known answers.
    StrangeKey,
    /// It is signed by a key that is not known, or not signed at all.
    NotSigned,
    /// The chain is shorter than it was.
    Shorter,
    /// The chain has another entry where it ended.
    OtherHead,
}

// === impl Kept ===

impl Kept {
    /// Learns a key; whether it is new.
    pub fn learn(&mut self, key: Endorsed) -> Result<bool, Contradiction> {
        if self.knows(&key.public) {
            return Ok(false);
        }
        let answered = self.keys.is_empty() || self.knows(&key.by);
        if !answered || !key.stands() || self.keys.len() >= KEYS_MAX {
            return Err(Contradiction::StrangeKey);
        }
        self.keys.push(key);
        Ok(true)
    }

    /// Takes a checkpoint; whether it is newer than what was kept. One from before that is passed over: replicas are not all equally
    /// quick.
    pub fn take(&mut self, signed: Signed) -> Result<bool, Contradiction> {
        if !self.knows(signed.key()) {
            return Err(Contradiction::NotSigned);
        }
        let new = signed.checkpoint();
        if let Some(kept) = self.newest.get(&new.chain) {
            let kept = kept.checkpoint();
            if new.length == kept.length && new.head != kept.head {
                return Err(Contradiction::OtherHead);
            }
            if new.length < kept.length && new.at_ms > kept.at_ms {
                return Err(Contradiction::Shorter);
            }
            if new.length <= kept.length {
                return Ok(false);
            }
        } else if self.newest.len() >= CHAINS_MAX {
            let quiet = self.newest.values().map(Signed::checkpoint);
            let quiet = quiet.min_by_key(|it| it.at_ms).map(|it| it.chain.clone());
            if let Some(chain) = quiet {
                self.newest.remove(&chain);
            }
        }
        self.newest.insert(new.chain.clone(), signed);
        Ok(true)
    }

    /// The newest of each chain.
    pub fn newest(&self) -> impl Iterator<Item = &Signed> {
        self.newest.values()
    }

    /// The newest of a chain.
    pub fn of(&self, chain: &str) -> Option<&Signed> {
        self.newest.get(chain)
    }

    /// The keys, in the order in which they were learnt.
    pub fn keys(&self) -> &[Endorsed] {
        &self.keys
    }

    /// Whether it knows a key.
    pub fn knows(&self, key: &Public) -> bool {
        self.keys.iter().any(|it| it.public == *key)
    }

    /// What it keeps, as lines of a file.
    pub fn text(&self) -> String {
        let mut lines = String::new();
        for key in &self.keys {
            let [public, by] = [key.public, key.by].map(|it| hex::write(&it));
            let signature = hex::write(&key.signature);
            lines.extend(["key ", &public, " ", &by, " ", &signature, "\n"]);
        }
        for signed in self.newest.values() {
            let (key, signature) = (hex::write(signed.key()), hex::write(signed.signature()));
            let text = signed.checkpoint().text();
            lines.extend(["head ", &key, " ", &signature, " ", &text, "\n"]);
        }
        lines
    }

    /// What such lines say; `None` where one of them says nothing, or what does not stand.
    pub fn read(text: &str) -> Option<Self> {
        let mut kept = Self::default();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ')?;
            let (key, rest) = rest.split_once(' ')?;
            let (public, (one, other)) = (hex::read::<32>(key)?, rest.split_once(' ')?);
            let taken = match word {
                "key" => kept.learn(Endorsed {
                    public,
                    by: hex::read(one)?,
                    signature: hex::read(other)?,
                }),
                "head" => {
                    let signature: Signature = hex::read(one)?;
                    kept.take(Signed::read(other, public, signature)?)
                }
                _ => return None,
            };
            taken.ok()?;
        }
        Some(kept)
    }
}

// === impl Contradiction ===

impl Contradiction {
    /// Its word, as metrics have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::StrangeKey => "strange_key",
            Self::NotSigned => "not_signed",
            Self::Shorter => "shorter",
            Self::OtherHead => "other_head",
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StrangeKey => "no key that is known answers for its key",
            Self::NotSigned => "it is not signed by a key that is known",
            Self::Shorter => "the chain is shorter than it was",
            Self::OtherHead => "the chain has another entry where it ended",
        })
    }
}

#[cfg(test)]
#[path = "kept_test.rs"]
mod tests;
