//! What everybody counted of one kind, and whether that agrees: to the token and the nano-dollar, or within the bound of its cause.

use std::{fmt, ops::Add};

use crate::ledger::{
    counts::{Counts, micro},
    kind::{CEILING, Kind},
    script::HEARD_MAX,
};

/// The tokens that a piece of an answer has by the estimate: a third of its bytes.
const TOKENS_A_PIECE: i64 = 2;

/// The most that is reserved for one of those that are asked of an edge that is killed, in tokens and in millionths of a dollar.
const RESERVED_TOKENS_MAX: i64 = 200;
const RESERVED_MICRO_MAX: i64 = 1_000;

/// The most requests that a loan is for: more than come in a second.
const LOAN_MAX: i64 = 2_000;

/// What was counted of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Book {
    /// Of which.
    pub kind: Kind,
    /// What providers counted when they sent it.
    pub served: Counts,
    /// What stands in the records.
    pub recorded: Counts,
    /// What stands in those that another edge made.
    pub partial: Counts,
    /// Records of requests that reached a provider.
    pub reached: i64,
    /// What the sums say that questions are answered from.
    pub summed: Counts,
    /// What limits were charged for: requests, tokens and millionths of a dollar.
    pub settled: Settled,
    /// What clients asked.
    pub asked: Asked,
    /// What is known of requests at edges that were killed.
    pub killed: Killed,
    /// How many reservations and loans were charged in full because their settlement came too late.
    pub expired: i64,
}

/// What limits were charged for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what it is called")]
pub struct Settled {
    pub requests: i64,
    pub tokens: i64,
    pub micro: i64,
}

/// What clients asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The documented guess of their input tokens: a third of the bytes, and 15 % more.
    pub guess: i64,
    /// The bytes of their bodies.
    pub bytes: i64,
}

/// What is known of requests at edges that were killed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Killed {
    /// Requests that were under way for sure when their edge was killed.
    pub open: i64,
    /// The most that can have no record: those that were open, or had ended too lately to be reported.
    pub unrecorded_max: i64,
    /// The most that a limit was charged for without a record: those, and what an edge had borrowed.
    pub charged_max: i64,
}

/// They do not agree: what was compared, and both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement(Kind, &'static str, String);

/// Lines of a table: what each cause makes of the difference.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Book]);

// === impl Book ===

impl Book {
    /// Whether all agree.
    pub fn agree(&self) -> Result<(), Disagreement> {
        let all = self.recorded + self.partial;
        self.equal("sums and records", &self.summed, &all)?;
        self.priced()?;
        match self.kind {
            Kind::Killed => return self.agree_on_killed(),
            Kind::Silent => self.agree_on_silent()?,
            Kind::Broken => self.agree_on_broken()?,
            Kind::HungUp => self.agree_on_hung_up()?,
            Kind::Ceiling => self.agree_on_ceiling()?,
            Kind::Severed => return self.agree_on_severed(),
            _ => self.equal("records and providers", &self.recorded, &self.served)?,
        }
        self.equal(
            "requests that reached a provider",
            &self.reached,
            &self.served.requests,
        )?;
        self.equal("limits and records", &self.settled, &self.records())
    }

    /// What is recorded, as limits count it.
    const fn records(&self) -> Settled {
        Settled {
            requests: self.recorded.requests,
            tokens: self.recorded.tokens(),
            micro: self.recorded.micro,
        }
    }

    /// What no record tells of what was served; negative where more is recorded.
    pub fn unrecorded(&self) -> Counts {
        self.served_and_priced() - self.recorded
    }

    /// What providers served, at the price of it, told or not.
    fn served_and_priced(&self) -> Counts {
        match self.kind.cause() {
            // Each of these tokens costs whole nano-dollars.
            Some(_) => Counts {
                nano: self.kind.price().nano_of(&self.served),
                ..self.served
            },
            None => self.served,
        }
    }

    /// Of what is estimated, the price is that of the estimate.
    fn priced(&self) -> Result<(), Disagreement> {
        if self.kind.cause().is_none() {
            return Ok(());
        }
        let nano = self.kind.price().nano_of(&self.recorded);
        self.equal("cost and tokens of the records", &self.recorded.nano, &nano)
    }

    fn agree_on_silent(&self) -> Result<(), Disagreement> {
        self.equal(
            "input and its guess",
            &self.recorded.input,
            &self.asked.guess,
        )?;
        // Each piece has one to three tokens of the provider's, and two by the guess.
        self.within(
            "output",
            self.recorded.output,
            self.served.output * 2 / 3,
            self.served.output * 2,
        )
    }

    fn agree_on_broken(&self) -> Result<(), Disagreement> {
        self.equal("output", &self.recorded.output, &self.served.output)?;
        // Both attempts had the same body, and the provider counts that alike.
        let told = self.served.input / 2;
        self.equal(
            "input and its guess",
            &self.recorded.input,
            &(told + self.asked.guess),
        )
    }

    fn agree_on_hung_up(&self) -> Result<(), Disagreement> {
        self.equal(
            "input and its guess",
            &self.recorded.input,
            &self.asked.guess,
        )?;
        // The client heard one piece, and the provider sent all.
        let (least, most) = (TOKENS_A_PIECE, TOKENS_A_PIECE * HEARD_MAX);
        let requests = self.served.requests;
        self.within(
            "output",
            self.recorded.output,
            requests * least,
            requests * most,
        )
    }

    fn agree_on_ceiling(&self) -> Result<(), Disagreement> {
        let requests = self.served.requests;
        self.equal(
            "output and the ceiling",
            &self.recorded.output,
            &(requests * CEILING),
        )?;
        self.within(
            "output of the provider",
            self.served.output,
            requests * CEILING,
            requests * 3 * CEILING,
        )?;
        self.within(
            "input",
            self.recorded.input,
            self.asked.guess.min(self.served.input),
            self.asked.bytes,
        )
    }

    /// What was settled after its lease is charged in full, and counted; and nothing else is.
    fn agree_on_severed(&self) -> Result<(), Disagreement> {
        self.equal("records and providers", &self.recorded, &self.served)?;
        let beyond = self.settled.requests - self.recorded.requests;
        let most = self.expired.saturating_mul(LOAN_MAX);
        self.within("requests charged and not made", beyond, 0, most)?;
        let tokens = self.settled.tokens - self.recorded.tokens();
        self.within(
            "tokens charged and not used",
            tokens,
            0,
            most * RESERVED_TOKENS_MAX,
        )?;
        let money = self.settled.micro - self.recorded.micro;
        self.within(
            "money charged and not spent",
            money,
            0,
            most * RESERVED_MICRO_MAX,
        )
    }

    /// What an edge had in memory is recorded by nobody, or in part. It is charged in full.
    fn agree_on_killed(&self) -> Result<(), Disagreement> {
        let (lost, killed) = (self.unrecorded(), self.killed);
        self.within(
            "requests without a record",
            lost.requests,
            killed.open,
            killed.unrecorded_max,
        )?;
        let charged = self.settled.requests - self.recorded.requests;
        self.within(
            "requests charged without a record",
            charged,
            lost.requests,
            killed.charged_max,
        )?;
        // What is reserved is more than what any of them uses, and not without a bound either.
        let tokens = self.settled.tokens - self.recorded.tokens();
        self.within(
            "tokens charged without a record",
            tokens,
            lost.tokens(),
            killed.charged_max * RESERVED_TOKENS_MAX,
        )?;
        let money = self.settled.micro - self.recorded.micro;
        self.within(
            "money charged without a record",
            money,
            micro(lost.nano),
            killed.charged_max * RESERVED_MICRO_MAX,
        )?;
        // Nothing stands in those that was not charged.
        self.within("partial records", self.partial.requests, 0, charged)?;
        self.within("tokens of those", self.partial.tokens(), 0, tokens)?;
        self.within("money of those", self.partial.micro, 0, money)
    }

    fn equal<T: PartialEq + fmt::Debug>(
        &self,
        what: &'static str,
        one: &T,
        other: &T,
    ) -> Result<(), Disagreement> {
        if one == other {
            return Ok(());
        }
        Err(Disagreement(
            self.kind,
            what,
            format!("{one:?} is not {other:?}"),
        ))
    }

    fn within(
        &self,
        what: &'static str,
        it: i64,
        least: i64,
        most: i64,
    ) -> Result<(), Disagreement> {
        if (least..=most).contains(&it) {
            return Ok(());
        }
        Err(Disagreement(
            self.kind,
            what,
            format!("{it} is not within {least} to {most}"),
        ))
    }
}

// === impl Disagreement ===

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}: {}", self.0, self.1, self.2)
    }
}

// === impl Table ===

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, what: &str, it: Counts| {
            let Counts {
                requests,
                input,
                cached,
                output,
                nano,
                ..
            } = it;
            writeln!(
                f,
                "{what:50} {requests:>9} {input:>10} {cached:>9} {output:>9} {nano:>16}"
            )
        };
        writeln!(
            f,
            "{:50} {:>9} {:>10} {:>9} {:>9} {:>16}",
            "", "requests", "input", "cached", "output", "nano-dollars"
        )?;
        let sum =
            |of: fn(&Book) -> Counts| self.0.iter().map(of).fold(Counts::default(), Counts::add);
        let served = sum(Book::served_and_priced);
        line(f, "served by providers", served)?;
        let mut rest = served;
        for book in self.0 {
            let difference = Counts::default() - book.unrecorded();
            if let Some(cause) = book.kind.cause() {
                line(f, &format!("  {cause}"), difference)?;
                rest += difference;
            }
        }
        let recorded = sum(|book| book.recorded);
        line(f, "recorded, and in the sums", recorded)?;
        line(f, "  a difference without a cause", rest - recorded)?;
        let settled =
            |of: fn(&Settled) -> i64| self.0.iter().map(|it| of(&it.settled)).sum::<i64>();
        let (requests, tokens, micro) = (
            settled(|it| it.requests),
            settled(|it| it.tokens),
            settled(|it| it.micro),
        );
        writeln!(
            f,
            "settled in Redis: {requests} requests, {tokens} tokens, {micro} millionths of a dollar"
        )?;
        let rounding = recorded.micro * 1_000 - recorded.nano;
        writeln!(
            f,
            "  each request rounded up to a millionth: {rounding} nano-dollars"
        )?;
        for book in self.0 {
            let records = book.records();
            let (requests, tokens) = (
                book.settled.requests - records.requests,
                book.settled.tokens - records.tokens,
            );
            let nano = (book.settled.micro - records.micro) * 1_000;
            let cause = match book.kind {
                Kind::Severed => "way to Redis broken: charged in full, settled too late",
                Kind::Killed => "edge killed: charged in full, with what it had borrowed",
                _ if book.settled == records => continue,
                _ => "without a cause",
            };
            writeln!(
                f,
                "  {cause}: {requests} requests, {tokens} tokens, {nano} nano-dollars"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One number of a book.
    type Part = fn(&mut Book) -> &mut i64;

    const COUNTS: Counts = Counts {
        requests: 3,
        input: 60,
        cached: 6,
        output: 30,
        nano: 457_500,
        micro: 459,
    };

    const AGREED: Book = Book {
        kind: Kind::Whole,
        served: COUNTS,
        recorded: COUNTS,
        partial: Counts::NONE,
        reached: 3,
        summed: COUNTS,
        settled: Settled {
            requests: 3,
            tokens: 96,
            micro: 459,
        },
        asked: Asked {
            guess: 60,
            bytes: 150,
        },
        killed: Killed {
            open: 0,
            unrecorded_max: 0,
            charged_max: 0,
        },
        expired: 0,
    };

    #[test]
    fn one_more_or_less_anywhere_is_a_disagreement() {
        AGREED.agree().expect("they agree");
        let parts: [Part; 13] = [
            |it| &mut it.served.requests,
            |it| &mut it.served.output,
            |it| &mut it.served.nano,
            |it| &mut it.recorded.requests,
            |it| &mut it.recorded.input,
            |it| &mut it.recorded.cached,
            |it| &mut it.recorded.nano,
            |it| &mut it.reached,
            |it| &mut it.summed.requests,
            |it| &mut it.summed.nano,
            |it| &mut it.settled.requests,
            |it| &mut it.settled.tokens,
            |it| &mut it.settled.micro,
        ];
        for (place, part) in parts.iter().enumerate() {
            for more in [-1, 1] {
                let mut book = AGREED;
                *part(&mut book) += more;
                assert!(book.agree().is_err(), "{place}, {more}");
            }
        }
    }

    #[test]
    fn what_an_edge_lost_is_charged_and_not_more_of_it_than_it_can_have_held() {
        let lost = Counts {
            requests: 2,
            input: 40,
            cached: 0,
            output: 20,
            nano: 300_000,
            micro: 300,
        };
        let recorded = Counts {
            requests: 3,
            input: 60,
            cached: 0,
            output: 30,
            nano: 450_000,
            micro: 450,
        };
        let killed = Book {
            kind: Kind::Killed,
            served: recorded + lost,
            recorded,
            summed: recorded,
            settled: Settled {
                requests: 6,
                tokens: 300,
                micro: 900,
            },
            killed: Killed {
                open: 1,
                unrecorded_max: 2,
                charged_max: 3,
            },
            ..AGREED
        };
        killed.agree().expect("it is within its bounds");
        let parts: [(Part, i64); 5] = [
            (|it| &mut it.killed.open, 2),
            (|it| &mut it.killed.unrecorded_max, -1),
            (|it| &mut it.killed.charged_max, -1),
            (|it| &mut it.settled.tokens, -200),
            (|it| &mut it.settled.micro, -200),
        ];
        for (part, more) in parts {
            let mut book = killed;
            *part(&mut book) += more;
            assert!(book.agree().is_err(), "{book:?}");
        }
    }
}
