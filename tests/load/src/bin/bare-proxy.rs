//! `bare-proxy`: the limit that an edge is compared with.
//!
//! Owns a command line. Knows nothing of what passes.

use std::{io, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::Parser;
use load::{bare, cores};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Passes every request on to one provider, and does nothing else.
#[derive(Debug, Parser)]
struct Cli {
    /// Where the provider is
    #[arg(long)]
    provider: SocketAddr,
    /// How many cores to use
    #[arg(long, default_value = "1")]
    cores: NonZeroUsize,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// The file to write the address to
    #[arg(long)]
    ports_file: PathBuf,
}

fn main() -> io::Result<()> {
    let Cli {
        provider,
        cores,
        address,
        ports_file,
    } = Cli::parse();
    cores::run(cores, address, &ports_file, move |listener| {
        bare::serve(listener, provider)
    })
}
