//! What conditions are true of, and that plain ones mean what they mean as expressions.

use crate::expression::Subject;

use super::*;

/// A request of which this is known, each perhaps not.
#[derive(Debug, Clone, Copy)]
struct Request {
    project: Option<&'static str>,
    team: Option<&'static str>,
    input_tokens: Option<u64>,
    stream: Option<bool>,
}

impl Known for Request {
    fn fact(&self, name: &'static str) -> Option<Fact> {
        Some(match name {
            HEADERS => {
                let before = ("x-team".to_owned(), "before".to_owned());
                let team = self.team.map(|it| ("x-team".to_owned(), it.to_owned()));
                let both = team.map(|team| vec![before, team]);
                Fact::Texts(both.unwrap_or_default())
            }
            INPUT_TOKENS => Fact::Number(self.input_tokens?),
            STREAM => Fact::Truth(self.stream?),
            PROJECT => Fact::Text(self.project?.to_owned()),
            CLAIMS => {
                let claims = serde_json::json!({"groups": ["research"]});
                Fact::Claims(Subject::of(claims.as_object()?).ok()?)
            }
            _ => return None,
        })
    }
}

fn is_true(text: &str) -> bool {
    let request = Request {
        project: Some("web"),
        team: Some("red"),
        input_tokens: Some(5_000),
        stream: Some(true),
    };
    Condition::compile(text).unwrap().is_true(&request)
}

#[test]
fn what_is_known_decides_and_what_is_not_known_is_not_true() {
    for (text, expected) in [
        ("input_tokens > 4000", true),
        ("input_tokens > 40000", false),
        ("headers['x-team'] == 'red' && stream", true),
        ("headers['x-other'] == 'red'", false),
        ("!('x-other' in headers)", true),
        ("project.startsWith('we')", true),
        ("'research' in claims.groups", true),
        ("claims.sub == 'ann'", false),
        ("session == ''", false),
        ("project", false),
    ] {
        assert_eq!(is_true(text), expected, "{text}");
    }
}

#[test]
fn what_there_is_not_cannot_be_named() {
    for text in ["token.sub == 'a'", "model == 'a'", "input_tokens >", ""] {
        assert!(Condition::compile(text).is_err(), "{text}");
    }
}

/// Comparisons, each of which is plain.
const PLAIN: [&str; 25] = [
    "project == 'web'",
    "project != 'web'",
    "project == ''",
    "project.startsWith('we')",
    "project.endsWith('b')",
    "project.contains('e')",
    "project in ['web', 'app']",
    "project in []",
    "headers['x-team'] == 'red'",
    "headers['x-team'] != 'red'",
    "headers['x-team'] == 'before'",
    "headers['X-Team'] == 'red'",
    "headers['x-team'].startsWith('re')",
    "headers['x-team'] in ['red', 'blue']",
    "labels.team == 'red'",
    "session != 'a'",
    "input_tokens > -1",
    "input_tokens == 5000",
    "input_tokens != 5000",
    "input_tokens > 5000",
    "input_tokens >= 5000",
    "input_tokens < 5000",
    "input_tokens <= 5000",
    "stream",
    "!stream",
];

/// Conditions that are not.
const NOT_PLAIN: [&str; 12] = [
    "project == 'web' || stream",
    "!(project == 'web')",
    "project == session",
    "'web' == project",
    "input_tokens + 1 > 5000",
    "input_tokens > 5.0",
    "size(project) > 2",
    "'x-team' in headers",
    "claims.sub == 'ann'",
    "project == 5",
    "project",
    "has(headers.team)",
];

#[test]
fn a_plain_condition_means_what_it_means_as_an_expression() {
    let pairs = PLAIN
        .iter()
        .flat_map(|one| PLAIN.iter().map(move |two| format!("{one} && {two}")));
    let texts: Vec<String> = PLAIN.iter().map(ToString::to_string).chain(pairs).collect();
    let (mut compared, mut met) = (0, 0);
    for text in &texts {
        let plain = Condition::compile(text).unwrap();
        assert!(matches!(plain.0, Form::Plain(_)), "{text}");
        let expression = Expression::over(text, &NAMES).unwrap();
        let as_expression = Condition(whole(text, expression));
        for request in requests() {
            let (one, other) = (plain.is_true(&request), as_expression.is_true(&request));
            assert_eq!(one, other, "{text} of {request:?}");
            (compared, met) = (compared + 1, met + u32::from(one));
        }
    }
    assert!(met > compared / 50 && met < compared, "{met} of {compared}");
}

fn requests() -> impl Iterator<Item = Request> {
    let projects = [None, Some(""), Some("web"), Some("wé")];
    let teams = [None, Some("red"), Some("green")];
    let tokens = [None, Some(4_999), Some(5_000), Some(u64::MAX)];
    let streams = [None, Some(false), Some(true)];
    projects.into_iter().flat_map(move |project| {
        teams.into_iter().flat_map(move |team| {
            tokens.into_iter().flat_map(move |input_tokens| {
                streams.into_iter().map(move |stream| Request {
                    project,
                    team,
                    input_tokens,
                    stream,
                })
            })
        })
    })
}

#[test]
fn what_is_not_plain_stays_an_expression() {
    for text in NOT_PLAIN {
        let condition = Condition::compile(text).unwrap();
        assert!(matches!(condition.0, Form::Whole(..)), "{text}");
    }
}
