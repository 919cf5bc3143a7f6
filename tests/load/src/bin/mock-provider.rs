//! `mock-provider`: a provider that does as its question says.
//!
//! Owns a command line. Knows nothing of what is measured.

use std::{io, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::Parser;
use load::{cores, mock::Mock};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers as OpenAI does, whole, streamed or silent, and counts what it was asked.
#[derive(Debug, Parser)]
struct Cli {
    /// The credential by which Sluice is known
    #[arg(long)]
    credential: String,
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
        credential,
        cores,
        address,
        ports_file,
    } = Cli::parse();
    let mock = Mock::new(&credential).map_err(io::Error::other)?;
    cores::run(cores, address, &ports_file, move |listener| {
        mock.clone().serve(listener)
    })
}
