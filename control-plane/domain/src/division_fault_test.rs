//! What may be wrong with the division of limits, put in on purpose.

/// What is wrong, to see that it is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A share grows while another may still be believed.
    DoesNotWait,
    /// A share is believed from when it came.
    CountsFromArrival,
    /// A beat is answered with what was read before it came.
    AnswersFromBefore,
    /// Replicas divide what they read, whatever another has written since.
    NoLock,
    /// A period that was over is begun anew.
    GoesBack,
    /// A region says that it gave back what it has no room for.
    GivesWhatIsUsed,
    /// What is given back another time is charged once.
    ChargesOnce,
    /// Whatever a region says is taken for what it was asked last.
    TakesAnyAnswer,
    /// What was given back is forgotten with the counts.
    ForgetsGiven,
    /// A share becomes less when it is asked back.
    DoesNotAsk,
    /// What is under way is waited out like what refills.
    FreesSlots,
    /// A region says how many slots it has while its larger share may still be believed.
    CountsSlotsEarly,
    /// Slots are counted where some were forgotten just now.
    CountsWhatIsForgotten,
}

/// All that must be found.
pub(super) const FAULTS: [Fault; 13] = [
    Fault::DoesNotWait,
    Fault::CountsFromArrival,
    Fault::AnswersFromBefore,
    Fault::NoLock,
    Fault::GoesBack,
    Fault::GivesWhatIsUsed,
    Fault::ChargesOnce,
    Fault::TakesAnyAnswer,
    Fault::ForgetsGiven,
    Fault::DoesNotAsk,
    Fault::FreesSlots,
    Fault::CountsSlotsEarly,
    Fault::CountsWhatIsForgotten,
];
