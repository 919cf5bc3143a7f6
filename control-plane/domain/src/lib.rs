//! What an operator may ask, and what must stay true. No I/O.
//!
//! Owns the grammar of resource names and the rules for every field that an operator writes. Knows nothing of
//! protobuf, SQL or gRPC: text and numbers come in, values of these types or every violation at once go out.

pub mod violation;
pub mod segment;
pub mod name;
pub mod etag;
pub mod page;
pub mod text;
pub mod region;
pub mod base_url;
pub mod exchange_origin;
pub mod credential;
pub mod mapping;
pub mod handling;
pub mod provider;
pub mod deprecation;
pub mod model;
pub mod alias;
pub mod recipe;
pub mod routing;
pub mod capability;
pub mod version;
pub mod freeze;
pub mod gate;
pub mod rollout;
pub mod source;
pub mod interval;
pub mod proportions;
pub mod belief;
pub mod allocation;
pub mod slices;
pub mod experiment;
pub mod finding;
pub mod shadow;
pub mod key;
pub mod key_scope;
pub mod issuer;
pub mod rotation;
pub mod tag_source;
pub mod tag_pair;
pub mod keeping;
pub mod limit;
pub mod division;
pub mod budget;
pub mod price;
pub mod sketch;
pub mod grain;
pub mod alert;
mod place;
pub mod access;
pub mod methods;
pub mod role;
pub mod pattern;
pub mod trust;
pub mod local_user;
