//! A question of the control plane on its way to whoever can answer it, and the way back.
//!
//! Knows numbers and queues; knows nothing of what is asked. A question that cannot wait is answered at once: busy.

use proto::sync as wire;
use tokio::sync::mpsc;

/// How many questions may wait.
// Full: the next one is answered with that.
pub const QUESTIONS_MAX: usize = 16;

/// How many answers may wait to be said.
// Full: the next one is not said, and who asked it hears nothing.
const ANSWERS_MAX: usize = 2 * QUESTIONS_MAX;

/// One question.
#[derive(Debug)]
pub struct Question {
    asked: wire::Explain,
    back: mpsc::Sender<wire::Explained>,
}

/// Where the questions of one connection go, and where their answers come back.
pub struct Questions {
    away: mpsc::Sender<Question>,
    back: mpsc::Sender<wire::Explained>,
    answers: mpsc::Receiver<wire::Explained>,
}

// === impl Question ===

impl Question {
    /// What is asked.
    pub const fn asked(&self) -> &wire::Explain {
        &self.asked
    }

    /// Answers it. Where nobody waits any more, nothing happens.
    pub fn answer(self, explained: wire::Explained) {
        let number = self.asked.number;
        drop(self.back.try_send(wire::Explained {
            number,
            ..explained
        }));
    }
}

// === impl Questions ===

impl Questions {
    /// For a connection that begins.
    pub fn new(away: mpsc::Sender<Question>) -> Self {
        let (back, answers) = mpsc::channel(ANSWERS_MAX);
        Self {
            away,
            back,
            answers,
        }
    }

    /// Passes a question on.
    pub fn ask(&self, asked: wire::Explain) {
        let back = self.back.clone();
        if let Err(unasked) = self.away.try_send(Question { asked, back }) {
            unasked.into_inner().answer(wire::Explained {
                problem: wire::ExplainProblem::Busy.into(),
                ..wire::Explained::default()
            });
        }
    }

    /// The next answer. Never ends.
    pub async fn answer(&mut self) -> wire::Explained {
        match self.answers.recv().await {
            Some(explained) => explained,
            // This end holds a sender of its own.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_has_the_number_of_its_question_and_one_too_many_is_told_so() {
        let (away, mut asked) = mpsc::channel(1);
        let mut questions = Questions::new(away);
        for number in [7, 8] {
            questions.ask(wire::Explain {
                number,
                ..wire::Explain::default()
            });
        }
        let busy = questions.answer().await;
        assert_eq!(
            (busy.number, busy.problem()),
            (8, wire::ExplainProblem::Busy)
        );
        let question = asked.recv().await.unwrap();
        question.answer(wire::Explained {
            revision: 3,
            ..wire::Explained::default()
        });
        let answer = questions.answer().await;
        assert_eq!((answer.number, answer.revision), (7, 3));
    }
}
