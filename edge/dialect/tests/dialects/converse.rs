//! Bedrock Converse.

mod cases;
mod grammar;
mod requests;
mod answers;
mod streams;
mod pitfalls;
mod losses;
mod mutations;
mod recorded;
