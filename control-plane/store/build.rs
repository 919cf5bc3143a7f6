//! Builds anew when a migration comes or goes: they are compiled in, and the compiler sees only those it knows.

#[expect(
    clippy::print_stdout,
    reason = "this is how a build script speaks with cargo"
)]
fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
