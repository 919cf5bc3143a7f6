//! Leaves out who cannot serve a request: a picture to a model that reads none, a longer conversation than it takes.
//!
//! Knows what is demanded and what targets are said or known to be able to do. What is not said is not held against anybody; where
//! nothing is said of any target, that is a look at each.

use dialect::request::Endpoint;
use policy::capability::Ability;

use crate::{
    asking::{Asking, Asks},
    route::{
        Refusal,
        candidate::Candidate,
        notes::{Notes, Why},
    },
};

/// What no target of a model can, or is long enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unable {
    /// In which dialect it is asked for.
    pub endpoint: Endpoint,
    /// What.
    pub lack: Lack,
    /// How many tokens are asked for, where it is those.
    pub asked: u32,
    /// The most that any target takes.
    pub most: u32,
}

/// What a target lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It takes no such conversation.
    Context,
    /// It generates no such answer.
    Output,
    /// It cannot do this.
    Ability(Ability),
}

/// Leaves out who cannot; at least one is left.
pub(crate) fn hold_to_able(
    asking: Asking<'_>,
    candidates: &mut Vec<Candidate>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let Some(asks) = asking.asks() else {
        return Ok(());
    };
    let mut unable: Option<Unable> = None;
    candidates.retain(|it| {
        let Some(lacked) = lacked(it, &asks) else {
            return true;
        };
        notes.say(it.position(), lacked.lack.why());
        unable = Some(match unable {
            Some(first) if first.lack != lacked.lack || first.most >= lacked.most => first,
            _ => lacked,
        });
        false
    });
    match unable {
        Some(unable) if candidates.is_empty() => Err(Refusal::Unable(unable)),
        _ => Ok(()),
    }
}

/// What a target lacks, if anything.
fn lacked(it: &Candidate, asks: &Asks) -> Option<Unable> {
    let target = it.target();
    let able = target
        .capable
        .all(it.provider().kind, &target.provider_model);
    if able.is_unsaid() {
        return None;
    }
    let (context, output) = able.numbers();
    let beyond = |asked: u64, most: u32| most > 0 && asked > most.into();
    let unable = |lack, asked: u64, most| Unable {
        endpoint: asks.endpoint,
        lack,
        asked: u32::try_from(asked).unwrap_or(u32::MAX),
        most,
    };
    if let Some(ability) = able.lacks(asks.abilities) {
        return Some(unable(Lack::Ability(ability), 0, 0));
    }
    if let Some(asked) = asks.output_tokens_max.filter(|it| beyond(*it, output)) {
        return Some(unable(Lack::Output, asked, output));
    }
    let asked = asks.input_tokens;
    beyond(asked, context).then(|| unable(Lack::Context, asked, context))
}

// === impl Lack ===

impl Lack {
    /// The rule that leaves it out.
    const fn why(self) -> Why {
        match self {
            Self::Context => Why::Context,
            Self::Output => Why::Output,
            Self::Ability(ability) => match ability {
                Ability::Tools | Ability::ParallelTools => Why::Tools,
                Ability::JsonSchema | Ability::JsonMode => Why::Format,
                Ability::Reasoning => Why::Reasoning,
                Ability::Streaming | Ability::Embeddings => Why::Operation,
                Ability::ImageInput
                | Ability::AudioInput
                | Ability::FileInput
                | Ability::VideoInput
                | Ability::TextOutput
                | Ability::ImageOutput
                | Ability::AudioOutput => Why::Modality,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use dialect::request::demand::{Demand, Demands};
    use policy::capability::ABILITIES;

    #[test]
    fn what_is_demanded_has_the_numbers_of_what_models_can() {
        let demands = [
            Demand::ImageInput,
            Demand::AudioInput,
            Demand::FileInput,
            Demand::VideoInput,
            Demand::Tools,
            Demand::ParallelTools,
            Demand::JsonSchema,
            Demand::JsonMode,
            Demand::Reasoning,
            Demand::Streaming,
            Demand::Embeddings,
            Demand::TextOutput,
            Demand::ImageOutput,
            Demand::AudioOutput,
        ];
        let named = demands.map(|it| (format!("{it:?}"), it as u8));
        assert_eq!(named, ABILITIES.map(|it| (format!("{it:?}"), it as u8)));
        assert_eq!(Demands::NONE.bits(), 0);
    }
}
