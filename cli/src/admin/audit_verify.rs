//! Whether an export of the audit trail is whole, unchanged, and what was signed; what an edge has kept can be held against it.
//!
//! Needs nothing but files. Knows the lines of an export as `audit` writes them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use checkpoint::{Endorsed, Kept, Signed, hex};
use clap::Args;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{failure::Failure, moment, output};

/// What to verify.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// The file that `sluice audit export` wrote
    file: PathBuf,
    /// The file holds what a sink was handed, one file of it behind the other: chains go on, and have no end
    #[arg(long)]
    sent: bool,
    /// The hash of an entry that must be in it, such as one that was noted when another export ended
    #[arg(long, value_name = "HEX")]
    contains: Option<String>,
    /// What an edge has kept: the file `audit-heads` of its state directory; may be given several times
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
}

/// What is known while an export is read.
#[derive(Default)]
struct Trail {
    /// The keys, and those of the edge that is held against it.
    keys: Kept,
    listed: Vec<[u8; 32]>,
    chains: BTreeMap<String, Walk>,
    entries: u64,
}

/// Where a chain stands while it is read.
#[derive(Default)]
struct Walk {
    sequence: u64,
    hash: [u8; 32],
    ended: bool,
    /// What edges keep: how long the chain was, and the hash of its last entry then.
    held: BTreeMap<u64, [u8; 32]>,
    /// The checkpoints so far, by their hashes, with the length of each.
    signed: BTreeMap<[u8; 32], u64>,
    /// The last of them: its hash, its length and when.
    last: ([u8; 32], u64, u64),
    witnesses: u64,
    witnessed: u64,
}

/// Tells whether an export is whole.
pub fn verify(which: &Verify) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::system("read the export", &error);
    let kept: Result<Vec<Kept>, Failure> = which.witness.iter().map(|it| read(it)).collect();
    let kept = kept?;
    let mut trail = Trail::held_to(&kept)?;
    let mut contained = which.contains.is_none();
    let file = File::open(&which.file).map_err(failed)?;
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(failed)?;
        let number = at + 1;
        let wrong = |why: &str| Failure::broken(format!("line {number}: {why}"));
        let said: Value = serde_json::from_str(&line).map_err(|_| wrong("is no JSON"))?;
        if let Some(hash) = trail.step(&said).map_err(wrong)? {
            contained |= which.contains.as_deref() == Some(hash.as_str());
        }
    }
    trail.end(&kept, which.sent)?;
    if !contained {
        return Err(Failure::broken("no entry has the hash that must be there"));
    }
    trail.told(kept.len())
}

fn read(path: &Path) -> Result<Kept, Failure> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Failure::system("read what an edge kept", &error))?;
    let path = path.display();
    Kept::read(&text).ok_or_else(|| {
        Failure::broken(format!("{path}: is not what an edge keeps, or was changed"))
    })
}

// === impl Trail ===

impl Trail {
    /// Begins with what edges have kept.
    fn held_to(kept: &[Kept]) -> Result<Self, Failure> {
        let mut trail = Self::default();
        for kept in kept {
            for key in kept.keys() {
                let learnt = trail.keys.learn(*key);
                learnt.map_err(|_| {
                    Failure::broken("the edges whose files these are know different keys")
                })?;
            }
            for signed in kept.newest().map(Signed::checkpoint) {
                let walk = trail.chains.entry(signed.chain.clone()).or_default();
                let other = walk.held.insert(signed.length, signed.head);
                if other.is_some_and(|other| other != signed.head) {
                    let chain = &signed.chain;
                    return Err(Failure::broken(format!(
                        "{chain}: the edges whose files these are were told different things"
                    )));
                }
            }
        }
        Ok(trail)
    }

    /// Goes on by one line. Gives the hash of an entry.
    fn step(&mut self, said: &Value) -> Result<Option<String>, &'static str> {
        if said["chain"].is_null() && !said["by"].is_null() {
            if self.chains.values().any(Walk::is_begun) {
                return Err("a key stands behind the beginning of a chain");
            }
            let key = endorsed(said).ok_or("is no key")?;
            let learnt = self.keys.learn(key);
            learnt
                .map_err(|_| "no key that is known answers for this key: it is not the trail's")?;
            self.listed.push(key.public);
            return Ok(None);
        }
        let name = said["chain"].as_str().ok_or("names no chain")?;
        let walk = self.chains.entry(name.to_owned()).or_default();
        if walk.ended {
            return Err("stands behind the end of its chain");
        }
        if !said["checkpoint"].is_null() {
            let signed = signed(said).ok_or("its signature does not fit: it was changed")?;
            if !self.listed.contains(signed.key()) {
                return Err("is signed by a key that is not known");
            }
            if signed.checkpoint().chain != name {
                return Err("is a checkpoint of another chain");
            }
            return walk.checkpoint(&signed).map(|()| None);
        }
        if !said["witness"].is_null() {
            return walk.witness(said).map(|()| None);
        }
        if !said["end"].is_null() {
            return walk.end(said, self.listed.len()).map(|()| None);
        }
        self.entries += 1;
        walk.entry(said).map(Some)
    }

    /// Tells whether nothing is missing.
    fn end(&self, kept: &[Kept], goes_on: bool) -> Result<(), Failure> {
        for (name, walk) in &self.chains {
            let longest = walk.held.keys().max().copied().unwrap_or(0);
            if longest > walk.sequence {
                return Err(Failure::broken(format!(
                    "{name}: an edge has seen {longest} entries, and here are {}: it was cut",
                    walk.sequence
                )));
            }
            if !walk.ended && !goes_on {
                return Err(Failure::broken(format!("{name}: its end is missing")));
            }
        }
        let mut known = kept.iter().flat_map(Kept::keys);
        if known.any(|key| !self.listed.contains(&key.public)) {
            return Err(Failure::broken("a key that an edge knows is not here"));
        }
        Ok(())
    }

    fn told(&self, held: usize) -> Result<(), Failure> {
        output::line(format!(
            "{} entries in {} chains, whole and unchanged",
            self.entries,
            self.chains.len()
        ))?;
        for (name, walk) in &self.chains {
            let (sequence, hash) = (walk.sequence, hex::write(&walk.hash));
            let signed = match walk.last {
                (_, 0, _) => "not signed".to_owned(),
                (_, length, at_ms) => {
                    let at = i64::try_from(at_ms / 1_000).unwrap_or(i64::MAX);
                    format!("signed up to {length} at {}", moment::written(at))
                }
            };
            let witnessed = match walk.witnesses {
                0 => "witnessed by no edge".to_owned(),
                1 => format!("witnessed by 1 edge up to {}", walk.witnessed),
                edges => format!("witnessed by {edges} edges up to {}", walk.witnessed),
            };
            output::line(format!("{name} {sequence} {hash}, {signed}, {witnessed}"))?;
        }
        if held > 0 {
            output::line(format!("in keeping with what {held} edges have kept"))?;
        }
        Ok(())
    }
}

// === impl Walk ===

impl Walk {
    const fn is_begun(&self) -> bool {
        self.sequence > 0 || self.ended
    }

    fn entry(&mut self, said: &Value) -> Result<String, &'static str> {
        let claimed = said["hash"].as_str().ok_or("has no hash")?;
        let sequence = said["sequence"].as_u64().ok_or("has no sequence")?;
        if sequence != self.sequence + 1 {
            return Err("is not the next of its chain: entries are missing, or in another order");
        }
        let entry = said["entry"].as_str().ok_or("has no entry")?;
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(entry.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        if claimed != hex::write(&hash) {
            return Err("its hash does not fit: it, or one before it, was changed");
        }
        let inner: Value = serde_json::from_str(entry).map_err(|_| "its entry is no JSON")?;
        if inner["sequence"].as_u64() != Some(sequence) || inner["chain"] != said["chain"] {
            return Err("its entry is of another place");
        }
        if self.held.get(&sequence).is_some_and(|held| *held != hash) {
            return Err("an edge has seen another entry here: the trail was written anew");
        }
        (self.sequence, self.hash) = (sequence, hash);
        Ok(hex::write(&hash))
    }

    fn checkpoint(&mut self, signed: &Signed) -> Result<(), &'static str> {
        let it = signed.checkpoint();
        if it.length != self.sequence || it.head != self.hash {
            return Err(
                "another chain was signed than stands before it: the trail was written anew",
            );
        }
        if it.previous != self.last.0 {
            return Err("the checkpoint before it is missing");
        }
        self.last = (signed.hash(), it.length, it.at_ms);
        self.signed.insert(signed.hash(), it.length);
        Ok(())
    }

    fn witness(&mut self, said: &Value) -> Result<(), &'static str> {
        let hash = said["witness"].as_str().and_then(hex::read::<32>);
        let length = hash.and_then(|hash| self.signed.get(&hash));
        let length = length.ok_or("an edge keeps a checkpoint that is not here")?;
        self.witnesses += 1;
        self.witnessed = self.witnessed.max(*length);
        Ok(())
    }

    fn end(&mut self, said: &Value, keys: usize) -> Result<(), &'static str> {
        let claimed = said["hash"].as_str().ok_or("has no hash")?;
        if said["end"].as_u64() != Some(self.sequence) || claimed != hex::write(&self.hash) {
            return Err("the chain ends elsewhere: entries are missing, or were added");
        }
        // An export of a build that signed nothing says none of these.
        let counted = |name: &str, found: usize| {
            let said = said[name].as_u64().unwrap_or(0);
            said == u64::try_from(found).unwrap_or(u64::MAX)
        };
        let witnesses = usize::try_from(self.witnesses).unwrap_or(usize::MAX);
        if !counted("keys", keys)
            || !counted("checkpoints", self.signed.len())
            || !counted("witnesses", witnesses)
        {
            return Err("keys, checkpoints or witnesses are missing, or were added");
        }
        self.ended = true;
        Ok(())
    }
}

fn endorsed(said: &Value) -> Option<Endorsed> {
    Some(Endorsed {
        public: hex::read(said["key"].as_str()?)?,
        by: hex::read(said["by"].as_str()?)?,
        signature: hex::read(said["signature"].as_str()?)?,
    })
}

fn signed(said: &Value) -> Option<Signed> {
    let key = hex::read(said["key"].as_str()?)?;
    let signature = hex::read(said["signature"].as_str()?)?;
    Signed::read(said["checkpoint"].as_str()?, key, signature)
}
