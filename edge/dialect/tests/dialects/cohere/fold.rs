//! A stream of events, checked against the grammar of events and put together as one answer.

use dialect::{
    cohere::decoder::Decoder,
    neutral::{Answer, Choice, Content, Delta, Error, Event, Extra, Kind, Part},
};

use super::fixture;

/// The events of a stream that came in pieces, cut at these places.
pub(crate) fn events(stream: &[u8], cuts: &[usize]) -> Vec<Event> {
    let mut cuts = cuts.to_vec();
    cuts.push(stream.len());
    cuts.sort_unstable();
    let (mut decoder, mut events, mut from) = (Decoder::new(&fixture::seed()), Vec::new(), 0);
    for to in cuts {
        decoder.push(&stream[from..to], &mut events);
        from = to;
    }
    decoder.finish(&mut events);
    events
}

/// The answer, and the error in which it ended. Panics where the grammar is broken.
pub(crate) fn fold(events: &[Event]) -> (Answer, Option<Error>) {
    let mut fold = Fold::default();
    for event in events {
        assert!(!fold.over, "{event:?} comes behind the end");
        fold.take(event);
    }
    assert!(fold.over, "the stream has no end");
    assert!(fold.error.is_some() || fold.choice.stop.is_some());
    fold.answer.choices = vec![fold.choice];
    (fold.answer, fold.error)
}

/// Server-sent events of these data.
pub(crate) fn stream(data: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut stream = String::new();
    for data in data {
        stream.push_str("data: ");
        stream.push_str(&data.to_string());
        stream.push_str("\n\n");
    }
    stream
}

#[derive(Default)]
struct Fold {
    answer: Answer,
    choice: Choice,
    error: Option<Error>,
    mark: Option<Extra>,
    started: bool,
    open: bool,
    over: bool,
}

impl Fold {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Start { id, .. } => {
                assert!(!self.started);
                self.started = true;
                self.answer.id.clone_from(id);
            }
            Event::Open { part, kind, .. } => self.open(*part, kind),
            Event::Delta { part, delta, .. } => {
                self.within(*part);
                self.delta(delta);
            }
            Event::Close { part, .. } => {
                self.within(*part);
                self.open = false;
                if let Some(Content::ToolCall { arguments, .. }) = self.content()
                    && arguments.is_empty()
                {
                    arguments.push_str("{}");
                }
            }
            Event::Stop { stop, .. } => {
                assert!(!self.open && self.choice.stop.is_none());
                self.choice.stop = Some(stop.clone());
            }
            Event::Usage(tokens) => {
                assert!(self.started && !self.open);
                self.answer.tokens = Some(*tokens);
            }
            Event::Ping => {}
            Event::Extra(extra) => self.extra(extra),
            Event::Error(error) => {
                assert!(!self.open);
                self.error = Some(error.clone());
                self.over = true;
            }
            Event::End => {
                assert!(self.started && !self.open && self.choice.stop.is_some());
                self.over = true;
            }
        }
    }

    fn open(&mut self, part: u32, kind: &Kind) {
        assert!(self.started && !self.open && self.choice.stop.is_none());
        assert_eq!(usize::try_from(part).unwrap(), self.choice.parts.len());
        self.open = true;
        let content = match kind {
            Kind::Text => Content::Text(String::new()),
            Kind::Refusal => Content::Refusal(String::new()),
            Kind::Reasoning => Content::Reasoning {
                text: String::new(),
                signature: None,
            },
            Kind::ToolCall { id, name } => {
                assert!(!id.is_empty() && !name.is_empty());
                Content::ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                }
            }
        };
        self.choice.parts.push(Part {
            content,
            cache: None,
            extra: self.mark.take().into_iter().collect(),
        });
    }

    fn delta(&mut self, delta: &Delta) {
        match (self.content(), delta) {
            (
                Some(
                    Content::Text(said)
                    | Content::Refusal(said)
                    | Content::Reasoning { text: said, .. },
                ),
                Delta::Text(text),
            ) => said.push_str(text),
            (Some(Content::ToolCall { arguments, .. }), Delta::Arguments(more)) => {
                arguments.push_str(more);
            }
            (content, delta) => panic!("{delta:?} does not fit {content:?}"),
        }
    }

    fn extra(&mut self, extra: &Extra) {
        match extra.name.as_str() {
            "type" => self.mark = Some(extra.clone()),
            "usage" => self.answer.extra.push(extra.clone()),
            "finish_reason" => self.choice.extra.push(extra.clone()),
            _ => {}
        }
    }

    fn within(&self, part: u32) {
        assert!(self.open);
        assert_eq!(usize::try_from(part).unwrap() + 1, self.choice.parts.len());
    }

    fn content(&mut self) -> Option<&mut Content> {
        self.choice.parts.last_mut().map(|part| &mut part.content)
    }
}
