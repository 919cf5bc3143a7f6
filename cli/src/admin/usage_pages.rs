//! The whole answer to a question about usage, page after page.
//!
//! Knows pages; knows nothing of what is asked, or how it is shown.

use proto::admin::{QueryUsageRequest, QueryUsageResponse};

use crate::{connection::ANSWER_WITHIN, failure::Failure, session::Session};

/// The page size to ask for.
pub const PAGE: i32 = 2_000;

/// All pages as one; its times are those of the last.
pub async fn all(
    mut request: QueryUsageRequest,
    session: &mut Session,
) -> Result<QueryUsageResponse, Failure> {
    let mut reply = QueryUsageResponse::default();
    loop {
        let path = "UsageService/QueryUsage";
        let page: QueryUsageResponse = session
            .connection
            .call_for(path, &request, ANSWER_WITHIN)
            .await?;
        reply.rows.extend(page.rows);
        reply.truncated |= page.truncated;
        (reply.start_time, reply.end_time) = (page.start_time, page.end_time);
        if page.next_page_token.is_empty() {
            return Ok(reply);
        }
        request.page_token = page.next_page_token;
    }
}
