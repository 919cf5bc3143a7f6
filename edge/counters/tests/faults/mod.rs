//! What can befall a Redis: killed, started again empty, frozen, thawed.
//!
//! Knows nothing of who notices. Only the process that the test started is ever signalled, by its id.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::redis_server::{RedisServer, spawn};

impl RedisServer {
    /// Ends it, as `kill -9` does. What it kept is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("our own process");
        self.child.wait().expect("our own process");
    }

    /// Starts it again, empty and on the same port.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.directory);
        assert!(self.answers(), "its port was taken");
    }

    /// Stops it in its tracks: the kernel still accepts connections, nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("our own process");
    }
}
