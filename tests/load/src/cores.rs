//! Serves on every core by itself: a thread, a runtime and a listener each, on one address.
//!
//! Knows threads and sockets; knows nothing of what is said on them. The program says where it listens by
//! writing a file, and dies with whoever started it.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    path::Path,
    thread,
};

use nix::sys::{prctl, signal::Signal};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{runtime, task::LocalSet};

/// How many connections may wait in the kernel, for each core.
// Full: the kernel drops the client's SYN, and the client tries again.
const BACKLOG: i32 = 1_024;

/// Runs `serve` on each of `cores` with a listener of its own on `address`, and says in `ports_file` where.
/// Comes back only when it cannot.
pub fn run<F: Future<Output = ()>>(
    cores: NonZeroUsize,
    mut address: SocketAddr,
    ports_file: &Path,
    serve: impl Fn(tokio::net::TcpListener) -> F + Clone + Send + 'static,
) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut threads = Vec::new();
    for at in 0..cores.get() {
        let listener = bind(address)?;
        address = listener.local_addr()?;
        let serve = serve.clone();
        let core = thread::Builder::new().name(format!("core-{at}"));
        threads.push(core.spawn(move || -> io::Result<()> {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            LocalSet::new().block_on(&runtime, async {
                serve(tokio::net::TcpListener::from_std(listener)?).await;
                Ok(())
            })
        })?);
    }
    let part = ports_file.with_extension("part");
    fs::write(&part, format!("{{\"http\":\"{address}\"}}"))?;
    fs::rename(&part, ports_file)?;
    for thread in threads {
        thread
            .join()
            .map_err(|_| io::Error::other("a core panicked"))??;
    }
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Inherited by what is accepted.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
