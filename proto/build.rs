//! Compiles the contract without a system `protoc`, and keeps its descriptors for reflection and for
//! checking unknown fields.

use std::{env, fs, path::PathBuf};

const FILES: [&str; 32] = [
    "sluice/admin/v1/organization.proto",
    "sluice/admin/v1/project.proto",
    "sluice/admin/v1/provider.proto",
    "sluice/admin/v1/model.proto",
    "sluice/admin/v1/model_version.proto",
    "sluice/admin/v1/model_alias.proto",
    "sluice/admin/v1/freeze.proto",
    "sluice/admin/v1/rollout.proto",
    "sluice/admin/v1/version_source.proto",
    "sluice/admin/v1/experiment.proto",
    "sluice/admin/v1/shadow.proto",
    "sluice/admin/v1/key.proto",
    "sluice/admin/v1/service_account.proto",
    "sluice/admin/v1/limit.proto",
    "sluice/admin/v1/budget.proto",
    "sluice/admin/v1/price.proto",
    "sluice/admin/v1/edge.proto",
    "sluice/admin/v1/usage.proto",
    "sluice/admin/v1/operator_key.proto",
    "sluice/admin/v1/role.proto",
    "sluice/admin/v1/trust.proto",
    "sluice/admin/v1/local_user.proto",
    "sluice/admin/v1/login.proto",
    "sluice/admin/v1/audit.proto",
    "sluice/admin/v1/issuer.proto",
    "sluice/admin/v1/alert.proto",
    "sluice/admin/v1/sealing.proto",
    "sluice/sync/v1/sync.proto",
    "sluice/sync/v1/policy.proto",
    "sluice/sync/v1/enrolment.proto",
    "sluice/usage/v1/usage.proto",
    "google/protobuf/duration.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=sluice");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let bytes = prost::Message::encode_to_vec(&descriptors);
    fs::write(out.join("descriptors.bin"), bytes)?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
