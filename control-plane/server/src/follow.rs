//! Follows sources of versions: asks each what it points at, makes a version of what was not seen before, and starts the rollout
//! that is wanted.
//!
//! Owns who asks, how many at once and how often. One replica looks at a source at a time. The version, the note that it was made and
//! the note that a rollout is owed are one transaction; the rollout is another one, so that whatever keeps it keeps no version, and
//! whoever dies in between has left a note. Nothing else in the control plane waits for a registry.

use std::{convert::Infallible, fmt, time::Duration};

use domain::{
    name::VersionName,
    source::{self, Seen},
};
use futures_util::future::join_all;
use metrics::{counter, describe_counter};
use policy::{
    id::{RolloutId, VersionId},
    revision::Revision,
    routing::Routing,
};
use prost::Message;
use proto::unknown::Contract;
use registries::Asker;
use seal::Ring;
use store::{
    Obstacle, Store, StoreError, Write, id,
    rollout::{self, New},
    version,
    version_source::Row,
    version_source_look::{self as look, Left, Turn},
};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::{
    api::{model_version, rollout_wire, version_source_wire},
    by_itself::{self, ACTOR, Change},
};

/// How many sources are looked at at once.
const AT_ONCE: u16 = 16; // Full: the others wait in the database, for this replica or another one.

/// For how long a replica has the turn of a source; longer than a look may take.
const TURN: Duration = Duration::from_secs(30);

/// How often it is looked which are due.
const SCAN_EVERY: Duration = Duration::from_millis(500);

/// The longest time after which a source that did not answer is asked again.
const AGAIN_MAX: Duration = Duration::from_mins(5);

/// How often it is tried to start a rollout that is owed, where its source is asked less often.
const OWED_AGAIN: Duration = Duration::from_secs(10);

/// Follows sources.
pub struct Follower {
    store: Store,
    asker: Asker,
    sealing: Ring,
    contract: Contract,
    replica: [u8; 16],
}

/// What came of what a registry said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It points where it did.
    Unchanged,
    /// It points at what is a version already.
    Moved,
    /// That became a version.
    Made,
}

/// Why nothing came of it.
#[derive(Debug)]
enum NotTaken {
    Store(StoreError),
    /// Told to whoever declared the source.
    Told(String),
    /// Another replica took over.
    Overtaken,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_version_source_look_total",
        "Looks at sources of versions, by the kind of the registry and what came of it"
    );
}

// === impl Follower ===

impl Follower {
    /// Asks by this, presents what rests sealed under this key, as this replica.
    pub fn new(
        store: Store,
        asker: Asker,
        (sealing, contract): (Ring, Contract),
        replica: [u8; 16],
    ) -> Self {
        Self {
            store,
            asker,
            sealing,
            contract,
            replica,
        }
    }

    /// Follows, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        loop {
            let claimed = self.store.claim_sources(self.replica, TURN, AT_ONCE).await;
            let claimed = claimed.unwrap_or_else(|error| {
                warn!(%error, "Sources of versions cannot be looked at, trying again");
                Vec::new()
            });
            let full = claimed.len() == usize::from(AT_ONCE);
            join_all(claimed.iter().map(|(turn, row)| self.look_at(turn, row))).await;
            if !full {
                sleep(SCAN_EVERY).await;
            }
        }
    }

    /// Looks at one.
    async fn look_at(&self, turn: &Turn, row: &Row) {
        let asked = self.ask(row).await;
        let taken = match &asked {
            Ok(seen) => self.take(turn, row, seen).await,
            Err(why) => Err(NotTaken::Told(why.clone())),
        };
        let word = match &taken {
            Ok(Taken::Unchanged) => "unchanged",
            Ok(Taken::Moved) => "moved",
            Ok(Taken::Made) => "made",
            Err(_) => "failed",
        };
        let registry = row.terms.origin.word();
        counter!("sluice_version_source_look_total", "registry" => registry, "outcome" => word)
            .increment(1);
        if let Err(NotTaken::Store(error)) = &taken {
            warn!(%error, source = %row.name, "What a source points at cannot be written, trying again");
        }
        let problem = taken.as_ref().err().map(ToString::to_string);
        if let Some(why) = &problem
            && *why != row.known.problem
        {
            warn!(source = %row.name, %why, "A source of versions does not say what it points at");
        }
        let moved = matches!(taken, Ok(Taken::Moved | Taken::Made));
        let owed_why = if moved || row.known.owed.is_some() {
            let started = self.start_owed(turn).await;
            started.unwrap_or_else(|why| why.to_string())
        } else {
            String::new()
        };
        let left = Left {
            rest: rest(row, taken.is_err(), !owed_why.is_empty()),
            problem: problem.unwrap_or_default(),
            owed_why,
        };
        if let Err(error) = self.store.leave_source(turn, &left).await {
            warn!(%error, source = %row.name, "What came of a look cannot be noted: it comes again");
        }
    }

    /// What the source points at, or why it does not say.
    async fn ask(&self, row: &Row) -> Result<Seen, String> {
        let Some(registry) = version_source_wire::registry(row, &self.sealing) else {
            return Err(
                "what is kept of its credential cannot be read: make another one".to_owned(),
            );
        };
        let asked = self.asker.ask(&registry).await;
        asked.map_err(|why| why.to_string())
    }

    /// Makes a version of what is seen, unless that is one already.
    async fn take(&self, turn: &Turn, row: &Row, seen: &Seen) -> Result<Taken, NotTaken> {
        if row.known.digest == seen.digest {
            return Ok(Taken::Unchanged);
        }
        let mut write = self.store.write(ACTOR).await?;
        let row = look::hold(&mut write, turn).await?;
        let row = row.ok_or(NotTaken::Overtaken)?;
        let owed = |version| row.plan.as_ref().map(|_| version);
        if let Some(version) = look::made(&mut write, &row, seen).await? {
            look::point(&mut write, &row, seen, owed(&version)).await?;
            write.commit().await?;
            info!(source = %row.name, %version, "A source points at another version again");
            return Ok(Taken::Moved);
        }
        let slugs = source::slugs(&row.name.version_source, seen);
        let name = look::free(&mut write, &row, slugs).await?;
        let name = name.ok_or_else(|| {
            let why =
                "the names that its version could get are taken: delete that version of the model";
            NotTaken::Told(why.to_owned())
        })?;
        let made = version::create(&mut write, new(&row, seen, name.clone())?).await?;
        look::note_made(&mut write, &row, seen, &name).await?;
        look::point(&mut write, &row, seen, owed(&name)).await?;
        let change = Change {
            method: "CreateModelVersion",
            object: name.to_string(),
            message: "ModelVersion",
            before: Vec::new(),
        };
        let shown = |revision| model_version::wire(made, Vec::new(), revision).encode_to_vec();
        by_itself::commit(&self.contract, write, change, shown).await?;
        info!(source = %row.name, version = %name, registry_version = seen.version, "A version is made");
        Ok(Taken::Made)
    }

    /// Starts the rollout that is owed, if one is. Says what keeps it; nothing where none is owed any more.
    async fn start_owed(&self, turn: &Turn) -> Result<String, NotTaken> {
        let mut write = self.store.write(ACTOR).await?;
        let row = look::hold(&mut write, turn).await?;
        let row = row.ok_or(NotTaken::Overtaken)?;
        let (Some(candidate), Some(plan)) = (row.known.owed.clone(), row.plan.clone()) else {
            return Ok(String::new());
        };
        let new = New {
            id: RolloutId::from_bytes(id::draw()),
            parent: row.terms.model.clone(),
            slug: None,
            candidate,
            plan,
            forced_reason: String::new(),
        };
        match rollout::start(&mut write, new).await {
            Ok(started) => {
                look::settle(&mut write, &row, Some(&started.name)).await?;
                self.commit_started(write, &started).await?;
                info!(source = %row.name, rollout = %started.name, "A rollout is started");
                Ok(String::new())
            }
            // It serves already, or is deleted: there is nothing to be rolled out.
            Err(
                StoreError::Dangling { .. }
                | StoreError::Blocked {
                    by: Obstacle::IsStable,
                    ..
                },
            ) => {
                look::settle(&mut write, &row, None).await?;
                write.commit().await?;
                Ok(String::new())
            }
            Err(why @ (StoreError::Blocked { .. } | StoreError::Frozen { .. })) => {
                Ok(why.to_string())
            }
            Err(why) => Err(why.into()),
        }
    }

    async fn commit_started(&self, write: Write, started: &rollout::Row) -> Result<(), StoreError> {
        let change = Change {
            method: "StartRollout",
            object: started.name.to_string(),
            message: "Rollout",
            before: Vec::new(),
        };
        let shown = |revision: Revision| rollout_wire::wire(started, revision).encode_to_vec();
        by_itself::commit(&self.contract, write, change, shown).await?;
        Ok(())
    }
}

/// The version that what is seen becomes.
fn new(row: &Row, seen: &Seen, name: VersionName) -> Result<version::New, NotTaken> {
    let target = row.terms.target(seen, &row.base_url);
    let target = target.map_err(|why| {
        let version = &seen.version;
        NotTaken::Told(format!("its version {version} becomes none: {why}"))
    })?;
    Ok(version::New {
        id: VersionId::from_bytes(id::draw()),
        name,
        targets: vec![target],
        provenance: row.terms.provenance(&row.name, seen),
        recipe: None,
        samples: Vec::new(),
        routing: Routing::default(),
    })
}

/// When a source is looked at next, somewhat sooner or later, so that not all come at once.
fn rest(row: &Row, failed: bool, owes: bool) -> Duration {
    let usual = Duration::from_millis(row.terms.interval_ms);
    let mut rest = usual;
    if failed {
        rest = rest.min(AGAIN_MAX);
    }
    if owes {
        rest = rest.min(OWED_AGAIN);
    }
    rest.mul_f64(0.95 + fastrand::f64() / 10.0)
}

// === impl NotTaken ===

impl From<StoreError> for NotTaken {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What a database says is for the log of whoever runs it.
            Self::Store(StoreError::Unavailable(_) | StoreError::Broken(_)) => {
                f.write_str("the control plane's database does not answer")
            }
            Self::Store(why) => why.fmt(f),
            Self::Told(why) => f.write_str(why),
            Self::Overtaken => f.write_str("another replica took over"),
        }
    }
}
