//! How a command ends when it does not end well: a code for scripts, sentences for people.
//!
//! Knows gRPC codes and `google.rpc` details; knows nothing of any noun. Every failure that an operator can
//! mend says how.

use std::fmt;

use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt};

/// The exit code. Zero is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something broke, here or there.
    Failed = 1,
    /// The command line is not understood.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The control plane declined: a value, a precondition, an etag, a name that is taken.
    Refused = 4,
    /// No operator's key, or not one that may do this.
    Denied = 5,
    /// The control plane or its database cannot be reached.
    Unavailable = 6,
    /// Time ran out, or edges are behind.
    Behind = 7,
    /// A rollout was taken back by a gate.
    TakenBack = 8,
    /// A rollout was aborted by an operator.
    Aborted = 9,
    /// What is declared and what stands differ, and that was asked.
    Differs = 10,
}

/// What the codes mean, for the help.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something broke
  2  the command line is not understood
  3  not found
  4  refused: an invalid value, a precondition, a stale etag, a name that is taken
  5  no operator's key, or not one that may do this
  6  the control plane or its database cannot be reached
  7  time ran out, or edges are behind
  8  the rollout was taken back by a gate
  9  the rollout was aborted by an operator
  10  the plan holds something to do, and `--detailed-exitcode` was said";

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    sentence: String,
    details: Vec<String>,
    advice: String,
    taken: bool,
}

// === impl Failure ===

impl Failure {
    /// One sentence, lowercase and without a full stop.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        let (details, advice) = (Vec::new(), String::new());
        Self {
            exit,
            sentence: sentence.into(),
            details,
            advice,
            taken: false,
        }
    }

    /// A command line that is not understood.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// Something that cannot happen in a build whose tests ran.
    pub fn broken(what: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, format!("this build is broken: {what}"))
    }

    /// The system refused something: what we were doing, and why not.
    pub fn system(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("cannot {doing}: {error}"))
    }

    /// Nobody answers at `address`.
    pub fn unreachable(address: &str) -> Self {
        Self::new(Exit::Unavailable, "the control plane cannot be reached").with_advice(format!(
            "is {address} the admin address of a control plane that runs? --address or SLUICE_ADDRESS names \
             another, and `sluice dev` starts one"
        ))
    }

    /// Whoever is at `address` takes too long.
    pub fn late(address: &str) -> Self {
        Self::new(Exit::Behind, format!("{address} did not answer in time"))
            .with_advice("it may have been done; look, or repeat with one --request-id")
    }

    /// With one line for each thing that is wrong.
    pub fn with_details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// With what to do next, unless something more fitting was said already.
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        if self.advice.is_empty() {
            self.advice = advice.into();
        }
        self
    }

    /// With what to do next in place of what was said of that.
    pub fn with_other_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// What the control plane at `address` answered.
    pub fn from_status(status: &tonic::Status, address: &str) -> Self {
        if status.code() == Code::Unavailable && std::error::Error::source(status).is_some() {
            // What a connection says of itself is about sockets.
            return Self::unreachable(address);
        }
        let details = status.get_error_details();
        let violations = violations(&details);
        let exit = exit(status.code());
        let sentence = if violations.is_empty() {
            sentence(status)
        } else {
            "the request is refused".to_owned()
        };
        let advice = advice(status.code(), &details);
        let mut failure = Self::new(exit, sentence)
            .with_details(violations)
            .with_advice(advice);
        failure.taken = status.code() == Code::AlreadyExists;
        failure
    }

    /// Whether a name was wanted that something has already.
    pub const fn is_taken(&self) -> bool {
        self.taken
    }

    /// The exit code.
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        if !self.advice.is_empty() {
            write!(f, "\n{}", self.advice)?;
        }
        Ok(())
    }
}

fn exit(code: Code) -> Exit {
    match code {
        Code::NotFound => Exit::NotFound,
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::AlreadyExists
        | Code::OutOfRange => Exit::Refused,
        Code::Unauthenticated | Code::PermissionDenied => Exit::Denied,
        Code::Unavailable => Exit::Unavailable,
        Code::DeadlineExceeded => Exit::Behind,
        _ => Exit::Failed,
    }
}

fn sentence(status: &tonic::Status) -> String {
    match status.message() {
        "" => status.code().description().to_lowercase(),
        message => message.to_owned(),
    }
}

fn violations(details: &ErrorDetails) -> Vec<String> {
    let fields = details
        .bad_request()
        .into_iter()
        .flat_map(|it| &it.field_violations);
    fields
        .map(|it| format!("{}: {}", it.field, it.description))
        .collect()
}

fn advice(code: Code, details: &ErrorDetails) -> &'static str {
    match (
        details.error_info().map_or("", |info| info.reason.as_str()),
        code,
    ) {
        ("UNKNOWN_FIELD", _) => "update the control plane, or take the command line of its version",
        (_, Code::Unavailable) => "try again in a moment",
        (reason, _) if reason.starts_with("TOKEN_") => {
            "`sluice trusts get` shows what the trust takes"
        }
        (_, Code::Unauthenticated) => {
            "set SLUICE_OPERATOR_KEY, or name the file with --operator-key-file; the first start of a control \
             plane shows its first key"
        }
        (_, Code::AlreadyExists) => "`update` changes it; or choose another id",
        (_, Code::Aborted) => "`get` shows the new etag",
        (_, Code::NotFound) => "`list` shows what there is",
        (_, Code::DeadlineExceeded) => {
            "it may have been done; look, or repeat with one --request-id"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn told(status: &tonic::Status) -> (u8, String) {
        let failure = Failure::from_status(status, "http://127.0.0.1:7070");
        (failure.exit() as u8, failure.to_string())
    }

    #[test]
    fn every_violation_has_its_line() {
        let mut details =
            ErrorDetails::with_error_info("INVALID_ARGUMENT", "sluice", HashMap::new());
        details.add_bad_request_violation("provider.kind", "must be given");
        details.add_bad_request_violation("provider.base_url", "must be http or https");
        let status = tonic::Status::with_error_details(Code::InvalidArgument, "both", details);
        let (exit, text) = told(&status);
        assert_eq!(exit, 4);
        assert_eq!(
            text,
            "the request is refused\n  provider.kind: must be given\n  provider.base_url: must be http or https"
        );
    }

    #[test]
    fn codes_become_exit_codes_and_advice() {
        for (code, exit, says) in [
            (Code::NotFound, 3, "`list`"),
            (Code::AlreadyExists, 4, "`update`"),
            (Code::Aborted, 4, "etag"),
            (Code::FailedPrecondition, 4, ""),
            (Code::Unauthenticated, 5, "SLUICE_OPERATOR_KEY"),
            (Code::PermissionDenied, 5, ""),
            (Code::Unavailable, 6, "try again"),
            (Code::DeadlineExceeded, 7, "--request-id"),
            (Code::Internal, 1, ""),
        ] {
            let (found, text) = told(&tonic::Status::new(code, "so it is"));
            assert_eq!(found, exit, "{code:?}");
            assert!(
                text.starts_with("so it is") && text.contains(says),
                "{code:?}: {text}"
            );
        }
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        for code in 0..=Exit::Differs as u8 {
            assert!(EXIT_CODES.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
