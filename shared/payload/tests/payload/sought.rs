//! Which words a reader finds in passing, and where.

use payload::{
    json::{self, Fault},
    sought::Sought,
};

#[test]
fn words_are_found_as_values_of_their_names_and_nowhere_else() {
    let sought = Sought {
        names: &["type", "mime"],
        words: &["image", "audio*"],
    };
    let found = |text: &str| {
        let mut all = Vec::new();
        let each = |_: &str, _, found| {
            all.push(found);
            Ok::<_, Fault>(())
        };
        json::members_seeking(text, sought, each).unwrap();
        all
    };
    let text = r#"{"a":[{"type":"image"}],"b":{"mime" : "audio/wav"},"type":"image"}"#;
    assert_eq!(found(text), [1, 2, 1]);
    let none =
        r#"{"a":"image","b":{"type":["image"],"x":"type","y":"image"},"c":{"type":{"z":"image"}}}"#;
    assert_eq!(found(none), [0, 0, 0]);
    assert_eq!(found(r#"{"a":{"type":1,"image":"image"}}"#), [0]);
}
