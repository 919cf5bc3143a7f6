//! The Open Inference Protocol, version 2: tensors in, tensors out, as `KServe`, Triton and `MLServer` speak it over HTTP.
//!
//! Owns the shape of its requests, paths and errors. Must never know what a tensor means. The model stands in the path
//! only, and a body goes on as it came, with binary data behind it or without: reading it tells what to count and refuses
//! what does not hold together.

mod datatype;
mod tensor;
pub mod path;
pub mod request;
pub mod usage;
pub mod server;
pub mod error;

pub use self::{
    datatype::Datatype,
    tensor::{DIMENSIONS_MAX, ELEMENTS_MAX, NAME_BYTES_MAX, TENSORS_MAX, Tensor},
};
