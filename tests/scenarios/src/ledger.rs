//! What is counted of requests of every outcome, by everybody who counts: what was asked, what providers served, and what the
//! books say of it.
//!
//! Knows prices and how estimates are made from the documents, and reckons with them by itself: nothing of the product is used
//! to say what the product should have counted.

pub mod kind;
pub mod counts;
pub mod till;
pub mod script;
pub mod books;
