//! Every error that a client can get from us: its code, whose fault it is, and whether to try again.
//!
//! The table is the law; `docs/errors.md` is the same in prose, and a test compares the two.

/// One error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documented {
    /// Stable; clients may depend on it.
    pub code: &'static str,
    /// The status that goes with it; 200 where the answer had begun.
    pub status: u16,
    /// The `type` in `OpenAI`'s shape.
    pub kind: &'static str,
    /// Who can mend it.
    pub fault: Fault,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

/// Who can mend an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Whoever sent the request.
    Caller,
    /// Whoever runs the gateway.
    Operator,
    /// The provider.
    Provider,
}

const INVALID: &str = "invalid_request_error";
const LIMIT: &str = "rate_limit_error";
const API: &str = "api_error";

macro_rules! errors {
    ($($name:ident = $code:literal $status:literal $kind:ident $fault:ident $retry:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`.")]
            pub const $name: Documented = Documented {
                code: $code,
                status: $status,
                kind: $kind,
                fault: Fault::$fault,
                retry: $retry,
            };
        )*
        /// All of them, in the order of the document.
        pub const ERRORS: &[Documented] = &[$($name),*];
    };
}

errors! {
    UNKNOWN_PATH = "unknown_path" 404 INVALID Caller false;
    METHOD_NOT_ALLOWED = "method_not_allowed" 405 INVALID Caller false;
    KEY_IN_QUERY = "api_key_in_query" 400 INVALID Caller false;
    MISSING_KEY = "missing_api_key" 401 INVALID Caller false;
    INVALID_KEY = "invalid_api_key" 401 INVALID Caller false;
    REVOKED_KEY = "api_key_revoked" 401 INVALID Caller false;
    EXPIRED_KEY = "api_key_expired" 401 INVALID Caller false;
    ROTATED_KEY = "api_key_rotated" 401 INVALID Caller false;
    TOO_OLD_KEY = "api_key_too_old" 401 INVALID Caller false;
    DISABLED_KEY = "api_key_disabled" 401 INVALID Caller false;
    INVALID_TOKEN = "token_invalid" 401 INVALID Caller false;
    TOKEN_ISSUER = "token_issuer_unknown" 401 INVALID Caller false;
    TOKEN_KEY = "token_key_unknown" 401 INVALID Caller false;
    TOKEN_AUDIENCE = "token_audience" 401 INVALID Caller false;
    TOKEN_INACTIVE = "token_inactive" 401 INVALID Caller false;
    TOKEN_EXPIRED = "token_expired" 401 INVALID Caller false;
    TOKEN_NOT_YET = "token_not_yet_valid" 401 INVALID Caller false;
    TOKEN_CERTIFICATE = "token_certificate_missing" 401 INVALID Caller false;
    TOKEN_NOT_MAPPED = "token_not_mapped" 403 INVALID Caller false;
    TOKEN_UNCHECKED = "token_issuer_unavailable" 503 API Operator true;
    CERTIFICATE_STRANGER = "certificate_unknown" 401 INVALID Caller false;
    CERTIFICATE_EXPIRED = "certificate_expired" 401 INVALID Caller false;
    CERTIFICATE_REVOKED = "certificate_revoked" 401 INVALID Caller false;
    CERTIFICATE_NAMELESS = "certificate_nameless" 401 INVALID Caller false;
    CERTIFICATE_NOT_MAPPED = "certificate_not_mapped" 403 INVALID Caller false;
    KEY_ADDRESS = "api_key_address_forbidden" 403 INVALID Caller false;
    KEY_ENDPOINT = "api_key_endpoint_forbidden" 403 INVALID Caller false;
    KEY_PROVIDER = "api_key_provider_forbidden" 403 INVALID Caller false;
    KEY_TOKENS = "request_too_many_tokens" 400 INVALID Caller false;
    PASSTHROUGH_CLOSED = "passthrough_not_allowed" 403 INVALID Caller false;
    UNSAFE_PATH = "unsafe_path" 400 INVALID Caller false;
    INVALID_QUERY = "invalid_query" 400 INVALID Caller false;
    INVALID_PREFERENCES = "invalid_preferences" 400 INVALID Caller false;
    PREFERENCE_FORBIDDEN = "preference_forbidden" 403 INVALID Caller false;
    PREFERENCES_UNMET = "preferences_unmet" 404 INVALID Caller false;
    DATA_POLICY = "data_policy_unmet" 403 INVALID Operator false;
    CONTEXT_LENGTH = "context_length_exceeded" 400 INVALID Caller false;
    UNSUPPORTED_PARAMETER = "unsupported_parameter" 400 INVALID Caller false;
    UNSUPPORTED_VALUE = "unsupported_value" 400 INVALID Caller false;
    INVALID_TAGS = "invalid_tags" 400 INVALID Caller false;
    UPGRADE_REQUIRED = "upgrade_required" 426 INVALID Caller false;
    INVALID_HANDSHAKE = "invalid_handshake" 400 INVALID Caller false;
    TRANSFER_CODING = "unsupported_transfer_coding" 400 INVALID Caller false;
    CONTENT_ENCODING = "unsupported_content_encoding" 415 INVALID Caller false;
    CONTENT_TYPE = "unsupported_content_type" 415 INVALID Caller false;
    BODY_TOO_LARGE = "request_too_large" 413 INVALID Caller false;
    BODY_TIMEOUT = "request_timeout" 408 INVALID Caller true;
    BODY_BROKEN = "request_incomplete" 400 INVALID Caller true;
    INVALID_PRIORITY = "invalid_priority" 400 INVALID Caller false;
    OVERLOADED = "overloaded" 503 API Operator true;
    PROVIDER_BUSY = "provider_busy" 503 API Provider true;
    INVALID_BODY = "invalid_body" 400 INVALID Caller false;
    INVALID_MODEL = "invalid_model" 400 INVALID Caller false;
    AMBIGUOUS_MEMBER = "ambiguous_member" 400 INVALID Caller false;
    UNSUPPORTED = "unsupported_by_model" 400 INVALID Caller false;
    UNSUPPORTED_ENDPOINT = "unsupported_endpoint" 400 INVALID Caller false;
    UNMAPPABLE = "request_unmappable" 400 INVALID Caller false;
    MODEL_NOT_FOUND = "model_not_found" 404 INVALID Caller false;
    MODEL_RETIRED = "model_retired" 404 INVALID Caller false;
    REQUEST_UNKNOWN = "request_not_found" 404 INVALID Caller false;
    REQUEST_NOT_YET = "request_not_settled" 404 INVALID Caller true;
    INVALID_FEEDBACK = "invalid_feedback" 400 INVALID Caller false;
    FEEDBACK_STANDS = "feedback_stands" 409 INVALID Caller false;
    FEEDBACK_FULL = "feedback_full" 400 INVALID Caller false;
    USAGE_UNAVAILABLE = "usage_unavailable" 503 API Operator true;
    VERSION_NOT_SERVED = "version_not_served" 404 INVALID Caller false;
    RATE_LIMITED = "rate_limit_exceeded" 429 LIMIT Caller true;
    TOO_MANY_AT_ONCE = "concurrency_limit_exceeded" 429 LIMIT Caller true;
    BUDGET_USED_UP = "budget_exceeded" 429 LIMIT Caller true;
    PRICE_UNKNOWN = "price_unknown" 403 INVALID Operator false;
    OUTPUT_UNBOUNDED = "output_unbounded" 400 INVALID Caller false;
    LIMIT_ELSEWHERE = "limit_elsewhere" 403 INVALID Operator false;
    LIMIT_UNKNOWN = "limit_unknown" 503 API Operator true;
    DANGLING = "config_dangling_reference" 503 API Operator true;
    TRANSFORM_FAILED = "transform_failed" 500 API Operator false;
    MISCONFIGURED = "upstream_misconfigured" 503 API Operator false;
    ADDRESS_FORBIDDEN = "upstream_address_forbidden" 503 API Operator false;
    MAPPING_FAILED = "mapping_failed" 502 API Operator false;
    AUTH_FAILED = "upstream_auth_failed" 502 API Operator false;
    IDENTITY_REFUSED = "upstream_identity_refused" 502 API Operator false;
    IDENTITY_UNAVAILABLE = "upstream_identity_unavailable" 502 API Provider true;
    UNREACHABLE = "upstream_unreachable" 502 API Provider true;
    BROKEN = "upstream_broken" 502 API Provider true;
    UNEXPECTED = "upstream_unexpected_status" 502 API Provider false;
    UNREADABLE = "upstream_unreadable" 502 API Provider true;
    TIMEOUT = "upstream_timeout" 504 API Provider true;
}
