//! Ids of calls for providers that do not take any id.
//!
//! The same id always gives the same, so that a call and its result, in this request and the next, stay together.

use std::borrow::Cow;

use crate::chat::target::ToolIds;

const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// The longest id that `OpenAI` takes.
const FITTED_BYTES_MAX: usize = 40;
/// How long an id at Mistral is.
const NINE: usize = 9;

/// The id as a provider takes it.
pub(crate) fn fit(id: &str, ids: ToolIds) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let fits = match ids {
        ToolIds::Any => true,
        ToolIds::Fitted => {
            id.len() <= FITTED_BYTES_MAX
                && id.bytes().all(|byte| plain(byte) || b"-_".contains(&byte))
        }
        ToolIds::Nine => id.len() == NINE && id.bytes().all(plain),
    };
    if fits {
        return Cow::Borrowed(id);
    }
    let digits = digits(id);
    Cow::Owned(if ids == ToolIds::Nine {
        digits
    } else {
        format!("call_{digits}")
    })
}

/// Nine digits out of an id, by FNV-1a: two ids of one conversation are the same once in 10^14.
fn digits(id: &str) -> String {
    let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut digits = String::with_capacity(NINE);
    for _ in 0..NINE {
        let digit = usize::try_from(hash % 36).unwrap_or(0);
        digits.push(LETTERS.get(digit).copied().map_or('0', char::from));
        hash /= 36;
    }
    digits
}
