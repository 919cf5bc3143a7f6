//! How a request that is passed through ends here: in an answer or a socket, or in a refusal.
//!
//! Owns the nouns and nothing else; what a client reads of them `respond` says.

use http::HeaderMap;

use crate::{
    admit::{hold, room::Room},
    authorize,
    call::failure::Unanswered,
    identify,
    label::Label,
    passage::way::NoWay,
    relay::{self, Relay},
    request, route,
    socket::Socket,
};

/// What a client gets.
pub enum Through {
    /// An answer.
    Answer {
        /// Its head.
        head: relay::Head,
        /// Its body.
        body: Box<Relay>,
        /// What serves, where a model is named.
        label: Label,
        /// What is left of the limits.
        room: Room,
    },
    /// A socket, once the client has got the head of the answer.
    Socket {
        /// What the handshake's answer says.
        headers: HeaderMap,
        /// What follows it.
        socket: Box<Socket>,
        /// What serves, where a model is named.
        label: Label,
    },
}

/// Why a client gets neither: one variant for each stage.
pub enum Refusal {
    /// The request is not one we can judge.
    Request(request::Refusal),
    /// Nobody was identified.
    Identify(identify::Refusal),
    /// The caller may not use the model.
    Authorize(authorize::Refusal),
    /// Nothing may be passed through there.
    Closed(authorize::Closed),
    /// There is nowhere to go.
    Route(route::Refusal),
    /// There is no room.
    Admit(hold::Refusal),
    /// No provider answered.
    Call(Box<Unanswered>),
}

// === impl Refusal ===

impl From<NoWay> for Refusal {
    fn from(none: NoWay) -> Self {
        match none {
            NoWay::Authorize(refusal) => Self::Authorize(refusal),
            NoWay::Closed(closed) => Self::Closed(closed),
            NoWay::Route(refusal) => Self::Route(refusal),
            NoWay::NoRealtime => Self::Request(request::Refusal::NoRealtime),
        }
    }
}
