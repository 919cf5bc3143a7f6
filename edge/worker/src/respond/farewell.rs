//! What the two ends of a socket are told when it ends: the number of a close frame, and a code of ours.
//!
//! Knows ends and what clients make of numbers: they come back after 1012 and 1013, and not after 1008.

use dialect::websocket::frame::{Fault, Sender};

use crate::socket::{End, Farewell};

const NORMAL: u16 = 1_000;
const GOING_AWAY: u16 = 1_001;
const PROTOCOL: u16 = 1_002;
const POLICY: u16 = 1_008;
const TOO_BIG: u16 = 1_009;
const RESTART: u16 = 1_012;
const TRY_LATER: u16 = 1_013;
const BAD_GATEWAY: u16 = 1_014;

/// What a provider is told, whatever it was: nothing of it concerns it.
const LEAVING: (u16, &str) = (GOING_AWAY, "");

/// What each end is told.
pub const fn farewell(end: End) -> Farewell {
    let client = match end {
        // Each end has said so itself, and this is heard by nobody but an end that waits in vain.
        End::Closed(..) => (NORMAL, ""),
        End::Gone(Sender::Client) => (GOING_AWAY, ""),
        End::Gone(Sender::Server) => (BAD_GATEWAY, "upstream_broken"),
        End::Faulty(Sender::Client, Fault::TooLong) => (TOO_BIG, "request_too_large"),
        End::Faulty(Sender::Client, _) => (PROTOCOL, "invalid_frame"),
        End::Faulty(Sender::Server, _) => (BAD_GATEWAY, "upstream_unreadable"),
        End::Idle => (GOING_AWAY, "socket_idle"),
        End::TimeOver => (GOING_AWAY, "socket_time_over"),
        End::Leaving => (RESTART, "restarting"),
        End::KeyOver => (POLICY, "api_key_revoked"),
        End::KeyHeld => (POLICY, "api_key_scope_changed"),
        End::UsedUp => (TRY_LATER, "rate_limit_exceeded"),
    };
    let provider = match end {
        End::Closed(..) => (NORMAL, ""),
        _ => LEAVING,
    };
    Farewell { client, provider }
}
