//! Why a request goes where it goes, as its record keeps it: what chose the version, in which order its targets are asked, and
//! which rule keeps one of them from its place.
//!
//! Targets stand as their places in the version, so that nothing is allocated while nothing keeps one of them from its place.

use std::{sync::Arc, time::Duration};

use policy::model::{Target, Version};

use crate::{
    assign::Chooser,
    route::notes::{Note, Why},
};

/// How many targets a record names.
// Full: the others are counted.
pub const TARGETS_MAX: usize = 16;

/// How many notes of one target.
// Full: the others are left out.
pub const NOTES_MAX: usize = 8;

/// Why a request goes where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    chooser: Chooser,
    alias: Option<Box<str>>,
    version: Arc<Version>,
    /// The places in the version of those that are to be asked, in that order, and how many of these there are.
    order: [u8; TARGETS_MAX],
    candidates: usize,
    /// How many of them had their turn.
    reached: usize,
    notes: Vec<Note>,
}

/// One target, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// The target.
    pub target: &'a Target,
    /// When it was to be asked, 1 first; zero: not at all.
    pub place: usize,
    /// Whether its turn came. What became of that stands among the attempts, or it served.
    pub reached: bool,
    position: usize,
    decision: &'a Decision,
}

// === impl Decision ===

impl Decision {
    /// Of a version that was chosen so, whose targets are to be asked in the order of these places. Nobody was yet.
    pub fn new(
        chooser: Chooser,
        version: Arc<Version>,
        candidates: impl ExactSizeIterator<Item = usize>,
        notes: Vec<Note>,
    ) -> Self {
        let count = candidates.len();
        let mut order = [0; TARGETS_MAX];
        for (slot, position) in order.iter_mut().zip(candidates) {
            *slot = u8::try_from(position).unwrap_or(u8::MAX);
        }
        Self {
            chooser,
            alias: None,
            version,
            order,
            candidates: count,
            reached: 0,
            notes,
        }
    }

    /// The same, of a model that was asked for by this alias, if by any.
    #[must_use]
    pub fn asked_by(self, alias: Option<&str>) -> Self {
        let alias = alias.map(Box::from);
        Self { alias, ..self }
    }

    /// The turn of the target at this place of the order has come, 0 the first.
    pub const fn reaches(&mut self, place: usize) {
        self.reached = place + 1;
    }

    /// The target at this place of the version was passed over when its turn came.
    pub fn passes_over(&mut self, position: usize, why: Why) {
        // As many as there are targets.
        self.notes.push(Note { position, why });
    }

    /// The target at this place of the version was asked beside the first one, after so long.
    pub fn hedges(&mut self, position: usize, after: Duration) {
        let why = Why::Hedge(after);
        self.notes.push(Note { position, why });
    }

    /// The target at this place of the version is not to be asked at all.
    pub fn leaves_out(&mut self, position: usize, why: Why) {
        self.notes.push(Note { position, why });
        let listed = self.candidates.min(TARGETS_MAX);
        let order = self.order.get_mut(..listed).unwrap_or_default();
        let at = order.iter().position(|it| usize::from(*it) == position);
        if let Some(after) = at.and_then(|at| order.get_mut(at..)) {
            after.rotate_left(1);
            self.candidates -= 1;
        }
    }

    /// What chose the version.
    pub const fn chooser(&self) -> Chooser {
        self.chooser
    }

    /// The alias by which the model was asked for, if by any.
    pub fn alias(&self) -> Option<&str> {
        self.alias.as_deref()
    }

    /// The version.
    pub const fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Whether there is anything to tell of its targets: there are several, or something kept the only one from its place.
    pub fn tells_targets(&self) -> bool {
        self.version.targets.len() > 1 || !self.notes.is_empty()
    }

    /// Its targets: first those that were to be asked, in that order, then those that were left out. At most [`TARGETS_MAX`].
    pub fn targets(&self) -> impl Iterator<Item = Decided<'_>> {
        let asked = self.order.iter().take(self.candidates);
        let asked = (1..).zip(asked.map(|it| usize::from(*it)));
        let left_out = (0..self.version.targets.len()).filter(|at| self.is_left_out(*at));
        let all = asked.chain(left_out.map(|position| (0, position)));
        let decided = all.filter_map(|(place, position)| {
            Some(Decided {
                target: self.version.targets.get(position)?,
                place,
                reached: self.is_reached(place, position),
                position,
                decision: self,
            })
        });
        decided.take(TARGETS_MAX)
    }

    /// How many targets there are beyond those.
    pub fn more(&self) -> usize {
        self.version.targets.len().saturating_sub(TARGETS_MAX)
    }

    fn is_reached(&self, place: usize, position: usize) -> bool {
        let had_its_turn = place > 0 && place <= self.reached && !self.is_passed_over(position);
        had_its_turn || self.is_noted(position, |why| matches!(why, Why::Hedge(_)))
    }

    fn is_left_out(&self, position: usize) -> bool {
        self.is_noted(position, Why::is_exclusion)
    }

    fn is_passed_over(&self, position: usize) -> bool {
        self.is_noted(position, |why| matches!(why, Why::Retries | Why::Late))
    }

    fn is_noted(&self, position: usize, why: fn(Why) -> bool) -> bool {
        let mut notes = self.notes.iter();
        notes.any(|it| it.position == position && why(it.why))
    }
}

// === impl Decided ===

impl<'a> Decided<'a> {
    /// What was noted of it, at most [`NOTES_MAX`].
    pub fn notes(&self) -> impl Iterator<Item = Why> + use<'a> {
        let position = self.position;
        let notes = self.decision.notes.iter();
        let of_it = notes.filter(move |it| it.position == position);
        of_it.map(|it| it.why).take(NOTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use policy::{
        id::{ModelId, ProviderId, VersionId},
        routing::Routing,
    };

    use super::*;

    fn version(targets: u8) -> Arc<Version> {
        let target = |number| Target {
            provider: ProviderId::from_bytes([number; 16]),
            provider_model: format!("m{number}"),
            weight: 0,
            capable: policy::catalogue::Capable::default(),
        };
        Arc::new(Version {
            id: VersionId::from_bytes([1; 16]),
            model: ModelId::from_bytes([2; 16]),
            name: "v1".to_owned(),
            targets: (0..targets).map(target).collect(),
            recipe: None,
            routing: Routing::default(),
        })
    }

    #[test]
    fn every_target_is_told_with_its_place_and_the_rule_that_kept_it_from_it() {
        let note = |position, why| Note { position, why };
        let aside = Why::Aside(Duration::from_secs(3));
        let notes = vec![note(0, Why::Key), note(3, aside)];
        let order = [2, 1, 3].into_iter();
        let mut decision = Decision::new(Chooser::Rule(2), version(4), order, notes);
        decision.reaches(0);
        decision.passes_over(1, Why::Retries);
        decision.reaches(2);
        let told: Vec<_> = decision
            .targets()
            .map(|it| {
                let notes: Vec<_> = it.notes().map(Why::word).collect();
                (&*it.target.provider_model, it.place, it.reached, notes)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("m2", 1, true, vec![]),
                ("m1", 2, false, vec!["retries"]),
                ("m3", 3, true, vec!["set-aside"]),
                ("m0", 0, false, vec!["key"]),
            ]
        );
        assert_eq!(decision.more(), 0);
    }

    #[test]
    fn who_is_asked_beside_the_first_has_had_a_turn_and_nobody_between_them() {
        let mut decision = Decision::new(Chooser::Release, version(3), 0..3, Vec::new());
        decision.reaches(0);
        decision.hedges(2, Duration::from_millis(200));
        let told = decision.targets();
        let told: Vec<_> = told.map(|it| (it.place, it.reached)).collect();
        assert_eq!(told, [(1, true), (2, false), (3, true)]);
    }

    #[test]
    fn who_is_left_out_late_leaves_no_gap() {
        let mut decision = Decision::new(Chooser::Release, version(3), 0..3, Vec::new());
        decision.leaves_out(1, Why::Realtime);
        let told = decision.targets();
        let told: Vec<_> = told
            .map(|it| (&*it.target.provider_model, it.place))
            .collect();
        assert_eq!(told, [("m0", 1), ("m2", 2), ("m1", 0)]);
    }

    #[test]
    fn a_record_names_so_many_targets_and_counts_the_others() {
        let all = 0..20_usize;
        let decision = Decision::new(Chooser::Release, version(20), all.into_iter(), Vec::new());
        assert_eq!(decision.targets().count(), TARGETS_MAX);
        assert_eq!(decision.more(), 4);
        let one = Decision::new(Chooser::Release, version(1), 0..1, Vec::new());
        assert!(!one.tells_targets(), "there is no other");
    }
}
