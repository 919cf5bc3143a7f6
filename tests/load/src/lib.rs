//! What Sluice costs, as a ratio to a bare proxy measured in the same run.
//!
//! Owns a provider, a bare proxy and a client, all as cheap as we can make them, and the rounds in which they
//! meet an edge. Knows nothing of our insides: what it counts afterwards, it reads where an operator would.

pub mod script;
pub mod decode;
pub mod connection;
pub mod cores;
pub mod mock;
pub mod bare;
pub mod latency;
pub mod saturated;
pub mod arrivals;
pub mod streams;
pub mod procfs;
pub mod plan;
pub mod agreement;
pub mod installation;
pub mod rounds;
pub mod verdict;
pub mod report;
pub mod run;
