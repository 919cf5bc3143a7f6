//! Whose a proof of reasoning is: what a model's maker has signed or sealed goes back to that maker, and to no one else.
//!
//! Owns the mark that a proof bears when it leaves its family. Within a family a proof passes as it is, so that one
//! without a mark was made by whoever answers the client's own API. The mark is base64 itself, in whole groups of four,
//! because clients decode what they take for base64.

use crate::{
    neutral::{Answer, Content, Delta, Event, Extra, Family, Part, Request, Role},
    place::Place,
};

/// What every mark begins with: `sluice` in base64.
pub(crate) const MARK: &str = "c2x1aWNl";

/// Who can read a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Claude, wherever it is hosted.
    Anthropic,
    Google,
    OpenAi,
    /// Whoever stands behind an API that many speak.
    Unknown,
}

// === impl Maker ===

impl Maker {
    /// Whoever answers in this dialect.
    pub(crate) const fn of(family: Family) -> Self {
        match family {
            Family::Messages | Family::Converse => Self::Anthropic,
            Family::Gemini => Self::Google,
            Family::Responses => Self::OpenAi,
            Family::Chat | Family::Cohere => Self::Unknown,
        }
    }

    /// `ant`, `gem`, `oai` and `any` in base64.
    const fn mark(self) -> &'static str {
        match self {
            Self::Anthropic => "YW50",
            Self::Google => "Z2Vt",
            Self::OpenAi => "b2Fp",
            Self::Unknown => "YW55",
        }
    }

    /// Marks a proof that leaves.
    fn marked(self, proof: &str) -> String {
        [MARK, self.mark(), proof].concat()
    }

    /// The proof, if this one made it.
    fn unmarked(self, proof: &str) -> Option<&str> {
        proof.strip_prefix(MARK)?.strip_prefix(self.mark())
    }
}

/// Marks the proofs of an answer.
pub(crate) fn leave_in_answer(maker: Maker, answer: &mut Answer) {
    for choice in &mut answer.choices {
        for part in &mut choice.parts {
            if let Some(proof) = proof_of(part) {
                *proof = maker.marked(proof);
            }
        }
    }
}

/// Marks the proof of an event.
pub(crate) fn leave_in_event(maker: Maker, event: &mut Event) {
    if let Event::Delta {
        delta: Delta::Signature(proof) | Delta::Redacted(proof),
        ..
    } = event
    {
        *proof = maker.marked(proof);
    }
}

/// Gives back to `to` what it has made, and leaves out what others have: the words stay, where there are any. A proof
/// without a mark is of `unmarked`. The places of what was left out.
pub(crate) fn return_in_request(request: &mut Request, unmarked: Maker, to: Maker) -> Vec<Place> {
    let mut left_out = Vec::new();
    for (turn_at, turn) in request.turns.iter_mut().enumerate() {
        if turn.role != Role::Assistant {
            continue;
        }
        let mut at = 0;
        turn.parts.retain_mut(|part| {
            let place = Place::of(turn_at).part(at);
            at += 1;
            part.extra.retain(|extra| !is_marked_signature(extra));
            let by_format = maker_by_format(&part.extra);
            let Some(proof) = proof_of(part) else {
                return true;
            };
            let is_marked = proof.starts_with(MARK);
            let made_by = by_format.unwrap_or(unmarked);
            if let Some(own) = to.unmarked(proof).map(str::to_owned) {
                *proof = own;
                return true;
            }
            if !is_marked && made_by == to {
                return true;
            }
            left_out.push(place);
            disprove(part)
        });
    }
    left_out
}

/// Google's clients sign any part; the proof itself is read as a thought beside it.
fn is_marked_signature(extra: &Extra) -> bool {
    extra.family == Family::Gemini
        && extra.name == "thoughtSignature"
        && extra
            .value
            .as_str()
            .trim_start_matches('"')
            .starts_with(MARK)
}

/// Who made it, where an aggregator says so beside it.
fn maker_by_format(extra: &[Extra]) -> Option<Maker> {
    let format = extra
        .iter()
        .find(|extra| extra.family == Family::Chat && extra.name == "reasoning_details.format")?;
    let format = format.value.as_str().trim_matches('"');
    [
        ("anthropic", Maker::Anthropic),
        ("google", Maker::Google),
        ("openai", Maker::OpenAi),
    ]
    .into_iter()
    .find_map(|(name, maker)| format.starts_with(name).then_some(maker))
}

fn proof_of(part: &mut Part) -> Option<&mut String> {
    match &mut part.content {
        Content::Reasoning { signature, .. } => signature.as_mut(),
        Content::RedactedReasoning(data) => Some(data),
        _ => None,
    }
}

/// Takes the proof off. Whether anything is left.
fn disprove(part: &mut Part) -> bool {
    // How its maker wrote it goes with it.
    part.extra.clear();
    match &mut part.content {
        Content::Reasoning { text, signature } => {
            *signature = None;
            !text.is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_base64_and_names_its_maker_alone() {
        let makers = [
            Maker::Anthropic,
            Maker::Google,
            Maker::OpenAi,
            Maker::Unknown,
        ];
        for maker in makers {
            let marked = maker.marked("QUJD");
            assert!(crate::base64::decode(&marked).is_some(), "{marked}");
            for other in makers {
                let own = (other == maker).then_some("QUJD");
                assert_eq!(other.unmarked(&marked), own);
            }
        }
    }
}
