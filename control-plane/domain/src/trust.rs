//! What must be true of a trust, and what a token that was proved opens by it.
//!
//! Owns patterns and which roles are granted. That the token is its issuer's, for this audience and for now, is judged
//! before; who may grant a role is the asker's own place to hold it.

use claims::check::Claims;
use policy::issuer::AUDIENCES_MAX;

use crate::{
    access::{Binding, Bindings},
    issuer::{AUDIENCE_CHARACTERS_MAX, texts, url},
    pattern::Pattern,
    text,
    violation::Violations,
};

/// The most patterns of claims beside a subject or a grant.
pub const CLAIMS_MAX: usize = 8;

/// The longest name of a claim, in characters.
pub const CLAIM_CHARACTERS_MAX: usize = 64;

/// The most grants.
pub const GRANTS_MAX: usize = 16;

/// The longest id of a client, in characters.
pub const CLIENT_CHARACTERS_MAX: usize = 255;

/// The most scopes, and the most characters of each.
pub const SCOPES_MAX: [usize; 2] = [16, 64];

/// How long a credential may work, in milliseconds: at least, unless somebody says, and at most.
pub const LIFETIME_MS: [u64; 3] = [60_000, 900_000, 3_600_000];

/// How far ahead a token may end, in milliseconds: it is remembered until then, so that it is taken once.
pub const TOKEN_AHEAD_MAX_MS: u64 = 86_400_000;

/// A claim and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPattern {
    /// Its name.
    pub claim: String,
    /// What it must fit.
    pub pattern: Pattern,
}

/// A role that tokens open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role and where.
    pub binding: Binding,
    /// What a token must say besides.
    pub claims: Vec<ClaimPattern>,
}

/// A trust as an operator wants it, unchecked but for its claims and grants.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What people call it.
    pub display_name: &'a str,
    /// What tokens say in `iss`.
    pub url: &'a str,
    /// Where its keys are; empty means: where its discovery document says.
    pub keys_url: &'a str,
    /// What tokens must be for.
    pub audiences: &'a [String],
    /// What `sub` must fit; empty means: any.
    pub subject: &'a str,
    /// What tokens must say besides.
    pub claims: Vec<ClaimPattern>,
    /// What they open.
    pub grants: Vec<Grant>,
    /// How long what they are exchanged for works, in milliseconds; `None` means: as is usual.
    pub lifetime_ms: Option<u64>,
    /// As whom the issuer knows people's logins; empty for nobody.
    pub client_id: &'a str,
    /// What they ask for beside `openid`.
    pub scopes: &'a [String],
}

/// A trust as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What people call it.
    pub display_name: String,
    /// What tokens say in `iss`.
    pub url: String,
    /// Where its keys are; empty means: where its discovery document says.
    pub keys_url: String,
    /// What tokens must be for.
    pub audiences: Vec<String>,
    /// What `sub` must fit; `None` means: any.
    pub subject: Option<Pattern>,
    /// What tokens must say besides.
    pub claims: Vec<ClaimPattern>,
    /// What they open.
    pub grants: Vec<Grant>,
    /// How long what they are exchanged for works, in milliseconds.
    pub lifetime_ms: u64,
    /// As whom the issuer knows people's logins; empty for nobody.
    pub client_id: String,
    /// What they ask for beside `openid`.
    pub scopes: Vec<String>,
}

/// The token opens nothing by this trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

/// Reads patterns of claims; what is wrong is added to `violations` under `field`.
pub fn claims<'a>(
    field: &str,
    given: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    violations: &mut Violations,
) -> Vec<ClaimPattern> {
    if given.len() > CLAIMS_MAX {
        violations.add(field, format!("must hold at most {CLAIMS_MAX}"));
        return Vec::new();
    }
    let mut read = Vec::with_capacity(given.len());
    for (at, (claim, pattern)) in given.enumerate() {
        let claim = text::filled(claim, CLAIM_CHARACTERS_MAX);
        let claim = violations.take(&format!("{field}[{at}].claim"), claim);
        let pattern = violations.take(&format!("{field}[{at}].pattern"), Pattern::read(pattern));
        if let (Some(claim), Some(pattern)) = (claim, pattern) {
            let claim = claim.to_owned();
            read.push(ClaimPattern { claim, pattern });
        }
    }
    read
}

// === impl Wanted ===

impl Wanted<'_> {
    /// Checks every field; what is wrong is added to `violations`.
    pub fn check(self, violations: &mut Violations) -> Option<Checked> {
        let before = violations.clone();
        let display_name = text::display_name(self.display_name);
        let display_name = violations.take("trust.display_name", display_name);
        violations.take("trust.issuer_url", url(self.url, false));
        if !self.keys_url.is_empty() {
            violations.take("trust.keys_url", url(self.keys_url, true));
        }
        if !self.client_id.is_empty() {
            let client_id = text::filled(self.client_id, CLIENT_CHARACTERS_MAX);
            violations.take("trust.client_id", client_id);
        }
        scopes(self.scopes, violations);
        // A token that somebody logs in with is for the client by which they do.
        let own = [self.client_id.to_owned()];
        let audiences = match self.audiences {
            [] if !self.client_id.is_empty() => &own[..],
            given => given,
        };
        texts(
            ("trust.audiences", audiences),
            (1, AUDIENCES_MAX, AUDIENCE_CHARACTERS_MAX),
            violations,
        );
        let subject = (!self.subject.is_empty()).then(|| Pattern::read(self.subject));
        let subject = violations
            .take("trust.subject", subject.transpose())
            .flatten();
        let claimed = self.claims.iter().map(|it| &it.pattern);
        let mut patterns = subject.iter().chain(claimed);
        let held = |it: &Grant| it.claims.iter().any(|it| it.pattern.is_held());
        let grants_held = !self.grants.is_empty() && self.grants.iter().all(held);
        // An issuer that many share gives a token to anybody who asks.
        if *violations == before && !patterns.any(Pattern::is_held) && !grants_held {
            violations.add(
                "trust.subject",
                "must begin with what is meant to the letter, or one of claims must, or one of each grant's: whoever gets a token of the issuer \
                 would get in",
            );
        }
        if !(1..=GRANTS_MAX).contains(&self.grants.len()) {
            violations.add("trust.grants", format!("must hold 1 to {GRANTS_MAX}"));
        }
        let [least, usual, most] = LIFETIME_MS;
        let lifetime_ms = self.lifetime_ms.unwrap_or(usual);
        if !(least..=most).contains(&lifetime_ms) {
            violations.add("trust.lifetime", "must be one minute to one hour");
        }
        if *violations != before {
            return None;
        }
        Some(Checked {
            display_name: display_name?,
            url: self.url.to_owned(),
            keys_url: self.keys_url.to_owned(),
            audiences: audiences.to_vec(),
            subject,
            claims: self.claims,
            grants: self.grants,
            lifetime_ms,
            client_id: self.client_id.to_owned(),
            scopes: self.scopes.to_vec(),
        })
    }
}

fn scopes(given: &[String], violations: &mut Violations) {
    let [most, characters_max] = SCOPES_MAX;
    texts(
        ("trust.scopes", given),
        (0, most, characters_max),
        violations,
    );
    // RFC 6749: they are told apart by spaces, and stand between quotation marks elsewhere.
    let letter = |it: u8| it.is_ascii_graphic() && !b"\"\\".contains(&it);
    for (at, one) in given.iter().enumerate().take(most) {
        if !one.bytes().all(letter) {
            violations.add(format!("trust.scopes[{at}]"), "holds what no scope holds");
        }
    }
}

// === impl Checked ===

impl Checked {
    /// What a token with these claims opens.
    pub fn opened(&self, claimed: &Claims) -> Result<Bindings, Unfit> {
        let subject = self.subject.as_ref();
        if !subject.is_none_or(|it| it.fits(claimed.subject())) || !all(&self.claims, claimed) {
            return Err(Unfit);
        }
        let granted = self.grants.iter().filter(|it| all(&it.claims, claimed));
        let granted: Vec<Binding> = granted.map(|it| it.binding.clone()).collect();
        if granted.is_empty() {
            return Err(Unfit);
        }
        Ok(Bindings(granted))
    }

    /// What all tokens could open.
    pub fn bindings(&self) -> Bindings {
        Bindings(self.grants.iter().map(|it| it.binding.clone()).collect())
    }
}

fn all(patterns: &[ClaimPattern], claimed: &Claims) -> bool {
    patterns.iter().all(|it| {
        let said = claimed.said(&it.claim);
        said.iter().any(|one| it.pattern.fits(one))
    })
}

#[cfg(test)]
#[path = "trust_test.rs"]
mod tests;
