//! The mapping of a custom provider between the wire and the domain.
//!
//! Changes nothing of it. What must be true of it is the domain's to say.

use domain::mapping::{Checked, Samples, Wanted};
use policy::mapping::{Mapping, Programs};
use proto::admin;

/// A mapping as an operator wants it.
pub(crate) fn wanted(given: admin::CustomMapping) -> Wanted {
    let header = |header: admin::CustomHeader| (header.name, header.value);
    Wanted {
        method: given.method,
        path: given.path,
        headers: given.headers.into_iter().map(header).collect(),
        credential_header: given.credential_header,
        chat: given.chat,
        programs: Programs {
            request: given.request_program,
            response: given.response_program,
            error: given.error_program,
            usage: given.usage_program,
        },
        samples: Samples {
            request: given.sample_request,
            answer: given.sample_answer,
            error: given.sample_error,
        },
    }
}

/// A mapping as it is shown.
pub(crate) fn wire(checked: Checked) -> admin::CustomMapping {
    let Checked { mapping, samples } = checked;
    let Mapping {
        method,
        path,
        headers,
        credential_header,
        chat,
        programs,
    } = mapping;
    let header = |(name, value)| admin::CustomHeader { name, value };
    admin::CustomMapping {
        method: method.name().to_owned(),
        path,
        headers: headers.into_iter().map(header).collect(),
        credential_header,
        chat,
        request_program: programs.request,
        response_program: programs.response,
        error_program: programs.error,
        usage_program: programs.usage,
        sample_request: samples.request,
        sample_answer: samples.answer,
        sample_error: samples.error,
    }
}
