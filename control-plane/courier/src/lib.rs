//! The ways out for notices to people: webhooks, Slack, mail.
//!
//! Keeps out of everything else how such a receiver is asked and who is trusted there. Knows a notice and where it goes; knows
//! nothing of why it is sent, how often that is tried and where it is remembered.

pub mod config;
mod said;
pub mod place;
pub mod signing;
pub mod notice;
mod dial;
mod post;
mod mail;
pub mod courier;

pub use config::Config;
pub use courier::{Courier, Destination, Mail};
pub use notice::{Event, Notice};
pub use place::{Mailbox, Place, Security, Server};
pub use said::{Undelivered, Unusable};
pub use signing::SigningSecret;
