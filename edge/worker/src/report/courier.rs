//! Brings to the control plane what requests and answers said, beside their records.
//!
//! Keeps nothing on disk and nothing for long: what cannot be brought for a minute is dropped and counted, and so is what waits
//! when the drain is over.

use std::time::{Duration, Instant};

use lifecycle::drain::Drain;
use proto::usage::{DepositRequest, usage_service_client::UsageServiceClient};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tonic::{Code, transport::Channel};

use crate::{
    feed::backoff::Backoff,
    recall::Source,
    record::content::{Content, Outlet},
    report::wire,
};

/// How many are sent together; the protocol's bound.
const TOGETHER_MAX: usize = 64;
/// How many bytes are sent together; somewhat less than the control plane reads at once. One alone is always less.
// Full: the others go next.
const TOGETHER_BYTES_MAX: usize = 960 << 10;
/// How long the control plane may take to keep them.
const STORE: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// For how long the same ones are tried.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the last ones may take when the drain is over.
const LAST: Duration = Duration::from_secs(1);

/// What brings them.
pub struct Courier {
    to: Source,
    contents: mpsc::Receiver<Content>,
    waiting: Vec<Content>,
    client: Option<UsageServiceClient<Channel>>,
    backoff: Backoff,
}

// === impl Courier ===

impl Courier {
    /// Brings there what goes into the outlet that comes with it.
    pub fn open(to: Source) -> (Outlet, Self) {
        let (outlet, contents) = Outlet::open();
        let courier = Self {
            to,
            contents,
            waiting: Vec::new(),
            client: None,
            backoff: Backoff::up_to(LONGEST_WAIT),
        };
        (outlet, courier)
    }

    /// Works until every outlet is gone and what is left is brought, at the latest a second after the drain is over.
    pub async fn run(mut self, drain: Drain) {
        let late = async {
            drain.over().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = self.bring_all() => {}
            () = late => {}
        }
        self.contents.close();
        while let Ok(content) = self.contents.try_recv() {
            self.waiting.push(content);
        }
        count("sluice_content_lost_total", self.waiting.len());
    }

    async fn bring_all(&mut self) {
        loop {
            let room = TOGETHER_MAX.saturating_sub(self.waiting.len());
            if self.waiting.is_empty()
                && self.contents.recv_many(&mut self.waiting, room).await == 0
            {
                return;
            }
            let together = together(&self.waiting);
            let name = if self.bring(together).await {
                "sluice_content_sent_total"
            } else {
                "sluice_content_lost_total"
            };
            self.waiting.drain(..together);
            count(name, together);
        }
    }

    /// Brings the first ones, and says whether it could.
    async fn bring(&mut self, many: usize) -> bool {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            sleep(self.backoff.next(Instant::now())).await;
            let connect = || UsageServiceClient::new(self.to.dialer.lazily());
            let mut client = self.client.take().unwrap_or_else(connect);
            let asked = DepositRequest {
                edge_id: self.to.edge_id.clone(),
                deposits: self.waiting.iter().take(many).map(wire::deposit).collect(),
            };
            let asked = self.to.dialer.request(asked);
            match timeout(STORE, client.deposit(asked)).await {
                Ok(Ok(_)) => {
                    self.client = Some(client);
                    self.backoff = Backoff::up_to(LONGEST_WAIT);
                    return true;
                }
                // It never will take them: it does not know of contents yet, or not of such.
                Ok(Err(status))
                    if matches!(status.code(), Code::Unimplemented | Code::InvalidArgument) =>
                {
                    self.client = Some(client);
                    return false;
                }
                // The next try goes to another control plane, if there is one.
                Ok(Err(_)) | Err(_) => {}
            }
        }
        false
    }
}

/// How many of the first ones fit together.
fn together(waiting: &[Content]) -> usize {
    let mut bytes = 0;
    let fits = waiting.iter().take(TOGETHER_MAX).take_while(|it| {
        bytes += it.bytes();
        bytes <= TOGETHER_BYTES_MAX
    });
    fits.count().max(1)
}

fn count(name: &'static str, many: usize) {
    if many > 0 {
        metrics::counter!(name).increment(many as u64);
    }
}
