//! A checkpoint, and its text as it is signed.
//!
//! The text is what travels and what is kept, so that what was signed is what is read. Knows nothing of what came before.

use aws_lc_rs::digest::{SHA256, digest};

use crate::{
    hex,
    key::{self, Public, Signature, Signer},
};

/// How every text begins.
const WORD: &str = "sluice-audit-checkpoint-1";

/// The longest name of a chain, in bytes.
const CHAIN_BYTES_MAX: usize = 200; // Full: the text is not read.

/// Where a chain stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its name, without spaces.
    pub chain: String,
    /// How many entries it had.
    pub length: u64,
    /// The hash of the last of them.
    pub head: [u8; 32],
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The hash of the checkpoint before this one; zeros of the first.
    pub previous: [u8; 32],
}

/// A checkpoint that a key has signed. There is none whose signature does not stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    checkpoint: Checkpoint,
    key: Public,
    signature: Signature,
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Its text.
    pub fn text(&self) -> String {
        let [head, previous] = [&self.head, &self.previous].map(|it| hex::write(it));
        format!(
            "{WORD} {} {} {head} {} {previous}",
            self.chain, self.length, self.at_ms
        )
    }

    /// What this text says, if it is one.
    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [WORD, chain, length, head, at_ms, previous] = words.as_slice() else {
            return None;
        };
        if chain.is_empty() || chain.len() > CHAIN_BYTES_MAX {
            return None;
        }
        Some(Self {
            chain: (*chain).to_owned(),
            length: length.parse().ok()?,
            head: hex::read(head)?,
            at_ms: at_ms.parse().ok()?,
            previous: hex::read(previous)?,
        })
    }

    /// Signs it.
    pub fn sign(self, signer: &Signer) -> Signed {
        Signed {
            signature: signer.sign(&self.text()),
            key: signer.public(),
            checkpoint: self,
        }
    }
}

// === impl Signed ===

impl Signed {
    /// What was signed; `None` where the text is none of ours, or the signature is not that key's over it.
    pub fn read(text: &str, key: Public, signature: Signature) -> Option<Self> {
        let checkpoint = Checkpoint::read(text)?;
        let stands = key::stands(&key, text, &signature);
        stands.then_some(Self {
            checkpoint,
            key,
            signature,
        })
    }

    /// What was signed.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// By which key.
    pub const fn key(&self) -> &Public {
        &self.key
    }

    /// Its signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// SHA-256 of its text.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        let made = digest(&SHA256, self.checkpoint.text().as_bytes());
        for (to, from) in hash.iter_mut().zip(made.as_ref()) {
            *to = *from;
        }
        hash
    }
}
