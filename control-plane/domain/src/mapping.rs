//! What must be true of the mapping of a custom provider: its endpoint, its headers, its programs.
//!
//! Owns the bounds on what an operator writes. Programs are compiled and tried on the samples that come with them here,
//! so that none reaches an edge that could not run there.

mod tried;
pub mod kept;

use payload::jq::SOURCE_BYTES_MAX;
use policy::mapping::{MODEL, Mapping, Method, Programs};

use crate::{text, violation::Violations};

/// The most bytes of programs and samples together. Full: they are refused.
pub const BYTES_MAX: usize = 64 << 10;

/// The longest path, in characters. Full: it is refused.
pub const PATH_CHARACTERS_MAX: usize = 1_024;

/// The most headers. Full: they are refused.
pub const HEADERS_MAX: usize = 32;

/// The longest name of a header, in characters. Full: it is refused.
pub const HEADER_NAME_CHARACTERS_MAX: usize = 64;

/// The longest value of a header, in characters. Full: it is refused.
pub const HEADER_VALUE_CHARACTERS_MAX: usize = 1_024;

/// A mapping as an operator wants it, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The method; empty means `POST`.
    pub method: String,
    /// What stands behind the base URL.
    pub path: String,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// The header that takes the credential.
    pub credential_header: String,
    /// Whether it answers as a chat model, too.
    pub chat: bool,
    /// Its programs.
    pub programs: Programs,
    /// On what they are tried.
    pub samples: Samples,
}

/// Payloads on which programs are tried; an empty one tries nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    /// What a client may send.
    pub request: String,
    /// What the provider may answer.
    pub answer: String,
    /// What the provider may give as an error.
    pub error: String,
}

/// A mapping as it may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// The mapping.
    pub mapping: Mapping,
    /// On what its programs were tried.
    pub samples: Samples,
}

/// Headers that the edge sets itself, that belong to the connection, or that carry what must stay secret.
const TAKEN: [&str; 17] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

/// Checks every field. What is wrong is noted, each below `provider.custom`.
pub fn check(wanted: Wanted, violations: &mut Violations) -> Option<Checked> {
    let mut own = Violations::new();
    let method = match wanted.method.as_str() {
        "" => Some(Method::default()),
        name => Method::named(name),
    };
    if method.is_none() {
        own.add("provider.custom.method", "must be POST, PUT or PATCH");
    }
    if let Err(why) = path(&wanted.path) {
        own.add("provider.custom.path", why);
    }
    let headers = headers(wanted.headers, &mut own);
    let credential_header = wanted.credential_header.to_ascii_lowercase();
    if !credential_header.is_empty() && credential_header != "x-api-key" {
        let named = header_name(&credential_header);
        own.take("provider.custom.credential_header", named);
    }
    let bytes = bytes(&wanted.programs, &wanted.samples);
    if bytes > BYTES_MAX {
        let why = format!("programs and samples have {bytes} bytes together; at most {BYTES_MAX}");
        own.add("provider.custom", why);
    } else {
        tried::check(&wanted.programs, &wanted.samples, wanted.chat, &mut own);
    }
    let good = own.is_empty();
    violations.append(own);
    good.then(|| Checked {
        mapping: Mapping {
            method: method.unwrap_or_default(),
            path: wanted.path,
            headers,
            credential_header,
            chat: wanted.chat,
            programs: wanted.programs,
        },
        samples: wanted.samples,
    })
}

fn bytes(programs: &Programs, samples: &Samples) -> usize {
    let Programs {
        request,
        response,
        error,
        usage,
    } = programs;
    let texts = [request, response, error, usage];
    let samples = [&samples.request, &samples.answer, &samples.error];
    texts.iter().chain(&samples).map(|text| text.len()).sum()
}

fn path(path: &str) -> Result<(), &'static str> {
    let known = path.replace(MODEL, "");
    if path.is_empty() {
        Ok(())
    } else if path.len() > PATH_CHARACTERS_MAX {
        Err("must be at most 1024 characters")
    } else if !path.starts_with('/') {
        Err("must begin with `/`, or be empty")
    } else if known.contains(['{', '}']) {
        Err("knows {model} and nothing else in braces")
    } else if !known.bytes().all(|byte| byte.is_ascii_graphic()) || known.contains(['#', '\\']) {
        Err("must be visible ASCII without `#` and `\\`: write anything else as %XX")
    } else if path.split(['/', '?']).any(|it| it == "." || it == "..") {
        Err("must not hold `.` or `..` as a segment")
    } else {
        Ok(())
    }
}

fn headers(wanted: Vec<(String, String)>, violations: &mut Violations) -> Vec<(String, String)> {
    if wanted.len() > HEADERS_MAX {
        violations.add("provider.custom.headers", "must be at most 32");
        return Vec::new();
    }
    let mut headers: Vec<(String, String)> = Vec::with_capacity(wanted.len());
    for (at, (name, value)) in wanted.into_iter().enumerate() {
        let name = name.to_ascii_lowercase();
        let field = |member: &str| format!("provider.custom.headers[{at}].{member}");
        violations.take(&field("name"), header_name(&name));
        if headers.iter().any(|(other, _)| *other == name) {
            violations.add(field("name"), "stands there twice");
        }
        let visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !visible || value != value.trim() {
            violations.add(
                field("value"),
                "must be visible ASCII and spaces, none of them at an end",
            );
        }
        violations.take(
            &field("value"),
            text::within(&value, HEADER_VALUE_CHARACTERS_MAX),
        );
        headers.push((name, value));
    }
    headers
}

fn header_name(name: &str) -> Result<(), &'static str> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > HEADER_NAME_CHARACTERS_MAX || !name.bytes().all(token) {
        Err("must be 1 to 64 letters, digits, `-`, `_` and `.`")
    } else if TAKEN.contains(&name) {
        Err("is set by the edge, or carries a credential: use `credential` and `credential_header`")
    } else {
        Ok(())
    }
}

/// The most bytes of one program, for whoever reads it from a file.
pub const PROGRAM_BYTES_MAX: usize = SOURCE_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            path: "/v1/{model}:generate?x=1".into(),
            headers: vec![("X-Api-Version".into(), "3 b".into())],
            credential_header: "X-API-Key".into(),
            programs: Programs {
                request: "{text: .prompt}".into(),
                response: "{choices: [{message: {content: .text}}]}".into(),
                error: ".error".into(),
                usage: "{input_tokens: .n}".into(),
            },
            samples: Samples {
                request: "{\"prompt\":\"a\"}".into(),
                answer: "{\"text\":\"b\",\"n\":3}".into(),
                error: "{\"error\":{\"message\":\"c\"}}".into(),
            },
            chat: true,
            ..Wanted::default()
        }
    }

    fn wrong(change: impl FnOnce(&mut Wanted)) -> Vec<(String, String)> {
        let mut wanted = wanted();
        change(&mut wanted);
        let mut violations = Violations::new();
        assert_eq!(check(wanted, &mut violations), None);
        let found = violations.into_vec().into_iter();
        found.map(|it| (it.field, it.description)).collect()
    }

    #[test]
    fn a_mapping_that_holds_together_is_taken_and_kept() {
        let mut violations = Violations::new();
        let checked = check(wanted(), &mut violations).unwrap();
        assert_eq!(checked.mapping.method, Method::Post);
        assert_eq!(checked.mapping.headers[0].0, "x-api-version");
        assert_eq!(checked.mapping.credential_header, "x-api-key");
        assert_eq!(kept::read(&kept::write(&checked)), Some(checked));
        assert!(check(Wanted::default(), &mut violations).is_some());
        for text in ["", "{}", "[]", "{\"method\":\"GET\"}"] {
            assert_eq!(kept::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_program_that_does_not_compile_or_fails_on_its_sample_is_refused_with_the_reason() {
        let program = |text: &str| {
            let found = wrong(|it| it.programs.request = text.into());
            assert_eq!(found[0].0, "provider.custom.request_program");
            found[0].1.clone()
        };
        assert_eq!(
            program("{a: .b"),
            "line 1, column 7: there should be a closing brace"
        );
        assert_eq!(program("\nnow"), "line 2, column 1: there is no `now`");
        assert!(program(&"# x\n".repeat(5_000)).contains("too long"));
        assert_eq!(
            program("error(\"no\")"),
            "on its sample: the program raised an error: no"
        );
        assert_eq!(
            program("repeat(.) | empty"),
            "on its sample: the program took too many steps"
        );
        let found = wrong(|it| it.samples.request = "{".into());
        assert_eq!(found[0].0, "provider.custom.sample_request");
    }

    #[test]
    fn a_program_that_gives_what_it_must_not_is_refused() {
        let field = |change: fn(&mut Wanted)| wrong(change).remove(0).0;
        assert_eq!(
            field(|it| it.programs.response = ".".into()),
            "provider.custom.response_program"
        );
        assert_eq!(
            field(|it| it.programs.usage = "{total_tokens: 1}".into()),
            "provider.custom.usage_program"
        );
        assert_eq!(
            field(|it| it.programs.error = "{message: 1}".into()),
            "provider.custom.error_program"
        );
    }

    #[test]
    fn an_endpoint_that_leads_elsewhere_is_refused() {
        for path in ["x", "/a b", "/{name}", "/../admin", "/a#b", "/ä", "/a\r\nx"] {
            let found = wrong(|it| it.path = path.into());
            assert_eq!(found[0].0, "provider.custom.path", "{path}");
        }
        for name in ["Host", "authorization", "", "a b", "cookie", "x-api-key"] {
            let found = wrong(|it| it.headers = vec![(name.into(), "1".into())]);
            assert_eq!(found[0].0, "provider.custom.headers[0].name", "{name}");
        }
        let found = wrong(|it| it.headers[0].1 = "a\r\nb: c".into());
        assert_eq!(found[0].0, "provider.custom.headers[0].value");
        let found = wrong(|it| it.headers.push(it.headers[0].clone()));
        assert_eq!(found[0].0, "provider.custom.headers[1].name");
        assert_eq!(
            wrong(|it| it.method = "GET".into())[0].0,
            "provider.custom.method"
        );
        let found = wrong(|it| it.samples.answer = format!("\"{}\"", "x".repeat(70_000)));
        assert_eq!(found[0].0, "provider.custom");
    }
}
