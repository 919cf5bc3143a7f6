//! What a client says of an answer, as its body has it: which request, what is judged, and how good it was.
//!
//! Knows the members of that body and their bounds. Whose request it is, and what stands already, is found elsewhere. Comments are not
//! taken: what people write is content, and whether that is kept is for their project to say.

use payload::{object::Object, writer::Writer};
use policy::judged;
use uuid::Uuid;

/// The longest body, in bytes.
pub const BYTES_MAX: usize = 4 << 10; // Full: refused.

/// What is judged where nobody says.
const USUAL: &str = "score";

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// Of which request.
    pub id: Uuid,
    /// What is judged.
    pub name: String,
    /// How good, 0 to 1.
    pub score: f64,
}

/// What is wrong with it: the member, and what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// The member; empty for the whole.
    pub member: &'static str,
    /// What it should be.
    pub wants: &'static str,
}

const BODY: Unfit = Unfit {
    member: "",
    wants: "must be one JSON object, and hold no member twice",
};
const ID: Unfit = Unfit {
    member: "request_id",
    wants: "must be the id that x-sluice-request-id told, a UUID",
};
const SCORE: Unfit = Unfit {
    member: "score",
    wants: "must be a number from 0 to 1; or send `thumbs`, `up` or `down`, in its place",
};
const THUMBS: Unfit = Unfit {
    member: "thumbs",
    wants: "must be `up` or `down`, and not stand beside `score`",
};
const NAME: Unfit = Unfit {
    member: "name",
    wants: "must be lower-case letters, digits and `_`, 1 to 32 of them, starting with a letter",
};
const COMMENT: Unfit = Unfit {
    member: "comment",
    wants: "is not kept here: leave it out",
};
const MORE: Unfit = Unfit {
    member: "",
    wants: "must hold `request_id`, `score` or `thumbs`, `name`, and nothing else",
};

/// What the body of a client says.
pub fn read(body: &[u8]) -> Result<Feedback, Unfit> {
    let text = std::str::from_utf8(body).map_err(|_| BODY)?;
    let mut object = Object::parse(text).map_err(|_| BODY)?;
    let id = object.text("request_id").map_err(|_| ID)?.ok_or(ID)?;
    let id = Uuid::try_parse(&id).map_err(|_| ID)?;
    let number = object.number("score").map_err(|_| SCORE)?;
    let thumbs = object.text("thumbs").map_err(|_| THUMBS)?;
    let score = match (number, thumbs.as_deref()) {
        (Some(number), None) => number.parse().ok(),
        (None, Some("up")) => Some(1.0),
        (None, Some("down")) => Some(0.0),
        (None, None) => None,
        _ => return Err(THUMBS),
    };
    let score = score.filter(|it| (0.0..=1.0).contains(it)).ok_or(SCORE)?;
    let name = object.text("name").map_err(|_| NAME)?;
    let name = name.map_or_else(|| USUAL.to_owned(), std::borrow::Cow::into_owned);
    if !judged::is_name(&name) {
        return Err(NAME);
    }
    if object.has("comment") {
        return Err(COMMENT);
    }
    if !object.is_empty() {
        return Err(MORE);
    }
    Ok(Feedback { id, name, score })
}

// === impl Feedback ===

impl Feedback {
    /// That it stands.
    pub fn told(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(128);
        writer.open();
        writer.key("request_id").text(&self.id.to_string());
        writer.key("name").text(&self.name);
        writer.key("score").raw(&self.score.to_string());
        writer.close();
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn said(rest: &str) -> Result<(String, f64), &'static str> {
        let body = format!(r#"{{"request_id":"{REQUEST}"{rest}}}"#);
        let read = read(body.as_bytes()).map_err(|it| it.member)?;
        assert_eq!(read.id.to_string(), REQUEST);
        Ok((read.name, read.score))
    }

    #[test]
    fn a_score_or_a_thumb_is_taken_and_all_else_is_named() {
        let usual = |score| Ok(("score".to_owned(), score));
        assert_eq!(said(r#","score":0.25"#), usual(0.25));
        assert_eq!(said(r#","thumbs":"up""#), usual(1.0));
        assert_eq!(said(r#","thumbs":"down","name":null"#), usual(0.0));
        let named = said(r#","score":1,"name":"tone_2""#);
        assert_eq!(named, Ok(("tone_2".to_owned(), 1.0)));
        for (rest, member) in [
            ("", "score"),
            (r#","score":1.01"#, "score"),
            (r#","score":-0.5"#, "score"),
            (r#","score":"1""#, "score"),
            (r#","score":1e999"#, "score"),
            (r#","score":1,"score":0"#, "score"),
            (r#","score":1,"thumbs":"up""#, "thumbs"),
            (r#","thumbs":"sideways""#, "thumbs"),
            (r#","score":1,"name":"Tone""#, "name"),
            (r#","score":1,"name":"""#, "name"),
            (r#","score":1,"comment":"nice""#, "comment"),
            (r#","score":1,"colour":"red""#, ""),
        ] {
            assert_eq!(said(rest), Err(member), "{rest}");
        }
        assert_eq!(read(b"[]").map_err(|it| it.member), Err(""));
        let nobody = br#"{"request_id":"7","score":1}"#;
        assert_eq!(read(nobody).map_err(|it| it.member), Err("request_id"));
    }
}
