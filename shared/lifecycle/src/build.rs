//! Which build this is.
//!
//! Knows what the compiler knew; asks nothing at run time.

/// The version of every crate in the workspace, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The build in one line, such as `0.1.0 (release, x86_64-linux)`.
pub fn line() -> String {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!(
        "{VERSION} ({profile}, {}-{})",
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

/// Tells the version in the metrics too: a gauge that is always 1.
pub fn describe() {
    metrics::describe_gauge!("sluice_build_info", "Always 1; its label is the version");
    metrics::gauge!("sluice_build_info", "version" => VERSION).set(1.0);
}
