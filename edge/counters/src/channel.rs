//! What calls go over: one connection to one server, or one to each server of a cluster.
//!
//! Knows how a call is sent; knows nothing of what it says.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo},
};
use tokio::time::timeout;

use crate::place::Now;

/// A channel. Cloning it copies pointers.
#[derive(Clone)]
pub(crate) enum Channel {
    /// To one server.
    One(MultiplexedConnection),
    /// To every server of a cluster.
    Each(ClusterConnection),
}

/// What a call was answered, or why it was not.
pub(crate) type Answer = Result<Value, RedisError>;

// === impl Channel ===

impl Channel {
    /// Dials, for as long as `config` allows.
    pub(crate) async fn dial(
        now: Now,
        config: &AsyncConnectionConfig,
        dial: Duration,
    ) -> Result<Self, RedisError> {
        match now {
            Now::Server(server) => {
                let connection = server.get_multiplexed_async_connection_with_config(config);
                connection.await.map(Self::One)
            }
            // Each of its servers is given that long; all of them together are not given longer.
            Now::Cluster(cluster) => match timeout(dial, cluster.get_async_connection()).await {
                Ok(connection) => connection.map(Self::Each),
                Err(late) => Err(std::io::Error::from(late).into()),
            },
        }
    }

    /// Sends one call.
    pub(crate) async fn send(&self, call: &Cmd) -> Answer {
        // The clones are handles to the same connections; the client wants them mutable.
        match self {
            Self::One(connection) => connection.clone().send_packed_command(call).await,
            Self::Each(cluster) => cluster.clone().req_packed_command(call).await,
        }
    }

    /// Sends all, and waits once. Fails as a whole when the one server did not answer; of a cluster each call may fail by itself.
    pub(crate) async fn send_all(&self, calls: &Pipeline) -> Result<Vec<Answer>, RedisError> {
        match self {
            Self::One(connection) => {
                let mut connection = connection.clone();
                let answers = connection.send_packed_commands(calls, 0, calls.len());
                Ok(answers.await?.into_iter().map(Ok).collect())
            }
            Self::Each(cluster) => {
                // They may be of several organizations, and so for several servers.
                let each = calls.cmd_iter().map(|call| {
                    let mut cluster = cluster.clone();
                    async move { cluster.req_packed_command(call).await }
                });
                Ok(join_all(each).await)
            }
        }
    }

    /// Sends each to every server that takes writes. Fails when one of them does not answer.
    pub(crate) async fn send_everywhere(&self, calls: &Pipeline) -> Result<(), RedisError> {
        match self {
            Self::One(_) => {
                for answer in self.send_all(calls).await? {
                    answer?.extract_error()?;
                }
            }
            Self::Each(cluster) => {
                let everywhere = RoutingInfo::MultiNode((
                    MultipleNodeRoutingInfo::AllMasters,
                    Some(ResponsePolicy::AllSucceeded),
                ));
                let mut cluster = cluster.clone();
                for call in calls.cmd_iter() {
                    let answer = cluster.route_command(call.clone(), everywhere.clone());
                    answer.await?.extract_error()?;
                }
            }
        }
        Ok(())
    }
}
