//! Cohere's dialect: there and back.
//!
//! One module for each thing it speaks. Knows no other dialect: what comes from elsewhere is made by hand.

mod fixture;
mod fold;
mod requests;
mod foreign;
mod answers;
mod streams;
mod errors;
mod embeddings;
mod mutations;
mod recordings;
