//! Whether everybody counted the same: the client, the provider, Redis and the ledger.
//!
//! Knows numbers; knows nothing of where they were read. A request that one of them missed, or has twice, is a
//! failure of the run, however fast it was.

use std::fmt;

/// What each of them says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that the client was answered by the edge that keeps accounts.
    pub client: u64,
    /// Requests that the client was answered by the one that keeps none.
    pub client_off: u64,
    /// Requests that reached the provider with Sluice's credential.
    pub provider: u64,
    /// Requests that the limit in Redis was charged for.
    pub redis: u64,
    /// Rows of usage in Postgres.
    pub ledger: u64,
    /// Tokens that the limit in Redis was charged for.
    pub redis_tokens: u64,
    /// Tokens in the rows of usage.
    pub ledger_tokens: u64,
    /// Tokens that answers of the edge without accounts had.
    pub off_tokens: u64,
    /// Requests that reached the provider without the credential.
    pub provider_bare: u64,
    /// Requests that the client was answered without Sluice.
    pub client_bare: u64,
    /// Requests that the provider could not read.
    pub refused: u64,
}

/// They do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disagreement(pub Counts);

// === impl Counts ===

impl Counts {
    /// Whether they agree.
    pub fn agree(self) -> Result<(), Disagreement> {
        let all = self.client + self.client_off;
        let requests = self.ledger == self.client && [self.provider, self.redis] == [all, all];
        let tokens = self.redis_tokens == self.ledger_tokens + self.off_tokens;
        let bare = self.provider_bare == self.client_bare && self.refused == 0;
        let agree = self.client > 0 && requests && tokens && bare;
        if agree {
            Ok(())
        } else {
            Err(Disagreement(self))
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "requests: client {} (and {} that leave no record), provider {}, redis {}, ledger {}; tokens: redis {}, ledger {} \
             (and {} without a record); without sluice: client {}, provider {}; refused by the provider: {}",
            self.client,
            self.client_off,
            self.provider,
            self.redis,
            self.ledger,
            self.redis_tokens,
            self.ledger_tokens,
            self.off_tokens,
            self.client_bare,
            self.provider_bare,
            self.refused
        )
    }
}

// === impl Disagreement ===

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the counts disagree: {}", self.0)
    }
}

impl std::error::Error for Disagreement {}

#[cfg(test)]
mod tests {
    use super::*;

    const AGREED: Counts = Counts {
        client: 7,
        client_off: 2,
        provider: 9,
        redis: 9,
        ledger: 7,
        redis_tokens: 540,
        ledger_tokens: 420,
        off_tokens: 120,
        provider_bare: 9,
        client_bare: 9,
        refused: 0,
    };

    #[test]
    fn one_request_more_or_less_anywhere_is_a_disagreement() {
        AGREED.agree().unwrap();
        let broken = [
            Counts {
                client: 8,
                ..AGREED
            },
            Counts {
                client_off: 3,
                ..AGREED
            },
            Counts {
                provider: 8,
                ..AGREED
            },
            Counts { redis: 6, ..AGREED },
            Counts {
                ledger: 9,
                ..AGREED
            },
            Counts {
                redis_tokens: 541,
                ..AGREED
            },
            Counts {
                ledger_tokens: 419,
                ..AGREED
            },
            Counts {
                provider_bare: 10,
                ..AGREED
            },
            Counts {
                refused: 1,
                ..AGREED
            },
            Counts::default(),
        ];
        for counts in broken {
            assert_eq!(counts.agree(), Err(Disagreement(counts)));
        }
    }
}
