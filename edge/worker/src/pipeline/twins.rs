//! Asks for the copies of requests, beside the requests themselves and by the same stages, and lets go of what is answered.
//!
//! A copy is charged to no limit and waits for no turn; whatever becomes of it stands in a record of its own and nowhere else.

use std::{convert::Infallible, future::pending, pin::Pin};

use futures_util::{StreamExt, stream::FuturesUnordered};
use http_body::Body;
use tokio::select;

use crate::{
    call::failure::Failure,
    pipeline::Pipeline,
    record::Shadowed,
    relay::relay,
    shadow::{Dropped, twin::Twin},
};

// === impl Pipeline ===

impl Pipeline {
    /// Asks for copies as they come. Never ends; a core runs it beside its requests.
    pub async fn shadow(&self) -> Infallible {
        let Some(mut coming) = self.shadower.coming() else {
            return pending().await;
        };
        // As many as there are seats.
        let mut under_way = FuturesUnordered::new();
        loop {
            select! {
                Some(twin) = coming.recv() => under_way.push(self.ask_twin(twin)),
                Some(()) = under_way.next() => {}
                // Whoever sends lives as long as the core.
                else => return pending().await,
            }
        }
    }

    async fn ask_twin(&self, twin: Box<Twin>) {
        let arrival = twin.arrival();
        let Twin {
            shadow,
            plan,
            mut request,
            limits,
            is_held,
            of,
            seat,
        } = *twin;
        if self.transformer.apply(&plan, &mut request).await.is_err() {
            return Dropped::Version.count();
        }
        if is_held {
            request.bind(self.admit.output_tokens_default());
        }
        let asked = (&request, None);
        let permit = self.admit.permit(limits, &plan, &arrival, asked).await;
        // No limit counts it, so that none refuses it.
        let Ok(permit) = permit else { return };
        let mut entry = self.recorder.open(&arrival, permit, &plan, &request);
        entry.becomes_copy(Shadowed {
            shadow,
            copy_of: Some(of.id.into_bytes()),
        });
        let with = (&arrival, None);
        let answer = self.call.first_good(&plan, &request, with, &mut entry);
        match answer.await {
            Ok(answer) => {
                // Its body is let go of, as a request's is when its answer begins.
                drop(request);
                let (_, mut body) = relay(answer, &arrival, entry, &self.patience);
                while let Some(Ok(_)) =
                    std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
                {
                }
            }
            Err(Failure::Busy(_)) => {
                Dropped::Busy.count();
                entry.forget();
            }
            Err(failure) => entry.failed(failure.status(), failure.outcome()),
        }
        drop(seat);
    }
}
