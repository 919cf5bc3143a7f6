//! Keeps where the chains of the audit trail stood, so that whoever owns the control plane's database cannot write them anew unseen.
//!
//! Owns what this edge has seen of them, in memory; its file is the keeper's. Reads no entry, and decides nothing about requests:
//! a trail that contradicts itself is told, and policy goes on.

use checkpoint::{Contradiction, Endorsed, Kept, Signed};
use metrics::{counter, describe_counter, describe_gauge, gauge};
use proto::sync as wire;

use crate::feed::disk::Directory;

/// How many checkpoints are read of one message.
const CHECKPOINTS_MAX: usize = 1_024; // Full: the others are passed over.

/// The longest text of one, in bytes.
const TEXT_BYTES_MAX: usize = 512; // Full: it is not signed as far as this edge is concerned.

/// What this edge has seen.
#[derive(Debug, Default)]
pub struct Witness {
    kept: Kept,
}

/// What became of a message.
#[derive(Debug, Default)]
pub struct Taken {
    /// What is kept of it, to be said.
    pub kept: wire::AuditWitness,
    /// What is to be written, where something is new.
    pub lines: Option<String>,
}

/// What an earlier process kept here.
pub fn read(directory: Option<&Directory>) -> Witness {
    describe_counter!(
        "sluice_audit_contradicted_total",
        "Checkpoints of the audit trail that were refused, by reason."
    );
    describe_gauge!(
        "sluice_audit_chains_witnessed",
        "Chains of the audit trail of which this edge keeps a checkpoint."
    );
    for why in [
        Contradiction::StrangeKey,
        Contradiction::NotSigned,
        Contradiction::Shorter,
        Contradiction::OtherHead,
    ] {
        counter!("sluice_audit_contradicted_total", "reason" => why.word()).increment(0);
    }
    let lines = directory.map(Directory::audit_heads).transpose();
    let kept = match lines.map(Option::flatten) {
        Ok(Some(lines)) => Kept::read(&lines),
        Ok(None) => Some(Kept::default()),
        Err(why) => {
            tracing::warn!(%why, "what is kept of the audit trail cannot be read");
            None
        }
    };
    if kept.is_none() {
        tracing::error!(
            "the file `audit-heads` in the state directory does not stand: this edge witnesses the audit trail from now on, and nothing before"
        );
    }
    Witness {
        kept: kept.unwrap_or_default(),
    }
}

// === impl Witness ===

impl Witness {
    /// Takes what the control plane says. What contradicts what is kept is refused and told.
    pub fn hear(&mut self, heads: wire::AuditHeads) -> Taken {
        let mut new = false;
        for key in heads.keys {
            new |= match endorsed(&key).map(|key| self.kept.learn(key)) {
                Some(Ok(new)) => new,
                Some(Err(why)) => refuse("", why),
                None => refuse("", Contradiction::StrangeKey),
            };
        }
        let mut taken = Taken::default();
        for told in heads.checkpoints.into_iter().take(CHECKPOINTS_MAX) {
            let Some(signed) = signed(&told) else {
                refuse("", Contradiction::NotSigned);
                continue;
            };
            let (chain, hash) = (signed.checkpoint().chain.clone(), signed.hash());
            match self.kept.take(signed) {
                Ok(newer) => new |= newer,
                Err(why) => {
                    refuse(&chain, why);
                    continue;
                }
            }
            if self.kept.of(&chain).is_some_and(|it| it.hash() == hash) {
                taken.kept.checkpoint_hashes.push(hash.to_vec());
            }
        }
        gauge!("sluice_audit_chains_witnessed").set(counted(self.kept.newest().count()));
        taken.lines = new.then(|| self.kept.text());
        taken
    }
}

/// Tells of a contradiction. What is kept stays as it is.
fn refuse(chain: &str, why: Contradiction) -> bool {
    counter!("sluice_audit_contradicted_total", "reason" => why.word()).increment(1);
    tracing::error!(
        chain,
        %why,
        "the audit trail contradicts what this edge keeps of it: keep the file `audit-heads` of the state directory, export the trail, and run `sluice audit verify --witness` with both"
    );
    false
}

fn endorsed(key: &wire::AuditKey) -> Option<Endorsed> {
    Some(Endorsed {
        public: key.public_key.as_slice().try_into().ok()?,
        by: key.by.as_slice().try_into().ok()?,
        signature: key.signature.as_slice().try_into().ok()?,
    })
}

fn signed(told: &wire::AuditCheckpoint) -> Option<Signed> {
    if told.text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let key = told.public_key.as_slice().try_into().ok()?;
    let signature = told.signature.as_slice().try_into().ok()?;
    Signed::read(&told.text, key, signature)
}

fn counted(it: usize) -> f64 {
    f64::from(u32::try_from(it).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use checkpoint::{Checkpoint, Signer};

    use super::*;

    fn heads(by: &Signer, length: u64, head: u8, at_ms: u64) -> wire::AuditHeads {
        let key = by.endorse(by.public());
        let signed = Checkpoint {
            chain: "changes".to_owned(),
            length,
            head: [head; 32],
            at_ms,
            previous: [0; 32],
        };
        let signed = signed.sign(by);
        wire::AuditHeads {
            keys: vec![wire::AuditKey {
                public_key: key.public.to_vec(),
                by: key.by.to_vec(),
                signature: key.signature.to_vec(),
            }],
            checkpoints: vec![wire::AuditCheckpoint {
                text: signed.checkpoint().text(),
                public_key: signed.key().to_vec(),
                signature: signed.signature().to_vec(),
            }],
        }
    }

    #[test]
    fn what_is_kept_is_said_and_what_contradicts_it_is_not() {
        let signer = Signer::draw().unwrap().0;
        let mut witness = Witness::default();
        let taken = witness.hear(heads(&signer, 5, 1, 10));
        assert_eq!(taken.kept.checkpoint_hashes.len(), 1);
        let kept = taken.lines.unwrap();
        // After a reconnect the same is said again, and nothing is to be written.
        let again = witness.hear(heads(&signer, 5, 1, 10));
        assert_eq!(again.kept, taken.kept);
        assert!(again.lines.is_none());
        for contradiction in [
            heads(&signer, 5, 2, 20),
            heads(&signer, 4, 2, 20),
            heads(&Signer::draw().unwrap().0, 6, 2, 20),
        ] {
            let refused = witness.hear(contradiction);
            assert!(refused.kept.checkpoint_hashes.is_empty());
            assert!(refused.lines.is_none());
        }
        assert_eq!(witness.kept.text(), kept);
    }
}
