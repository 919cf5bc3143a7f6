//! What both planes mean by a rule. No I/O, no async, no clock.
//!
//! Owns the nouns of policy, their ids, the arithmetic of limits, of prices and of the state hash. Knows nothing of
//! protobuf, SQL, HTTP or Redis: each of those meets these nouns at its own wall.

pub mod id;
pub mod by_id;
pub mod revision;
pub mod region;
pub mod remit;
pub mod calendar;
pub mod weekly;
pub mod traffic;
pub mod audit_access;
pub mod organization;
pub mod pin;
pub mod keeping;
pub mod handling;
pub mod preference;
pub mod guard;
pub mod project;
pub mod mapping;
pub mod provider;
mod tables;
pub mod glob;
pub mod capability;
pub mod catalogue;
pub mod split;
pub mod shadow;
pub mod rendezvous;
pub mod adapt;
pub mod hedge;
pub mod routing;
pub mod deprecation;
pub mod alias;
pub mod model;
pub mod limit;
pub mod money;
pub mod usage;
pub mod judged;
pub mod price;
pub mod cost;
pub mod published;
pub mod price_book;
pub mod scope;
pub mod issuer;
pub mod key;
pub mod credential;
pub mod object;
pub mod hash;
pub mod change;
pub mod applying;
pub mod share;
pub mod rules;
