//! Builds anew when a migration comes or goes: they are compiled in, and the compiler sees only those it knows.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
