//! One run of the command line against one control plane: the shape that all nouns' verbs share.
//!
//! Builds requests from a noun's row and a message of its own, sends them, shows what came back and waits
//! for the edges. Knows no noun by name.

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, SerializeOptions, Value};
use prost_types::FieldMask;
use time::OffsetDateTime;

use crate::{
    connection::{ANSWER_WITHIN, Connection},
    failure::Failure,
    noun::Noun,
    output::{self, Format},
    place::{Place, split},
    propagation,
    verb::{Delete, Write},
    wording,
};

/// The page size that is asked for; the server's own maximum.
const PAGE: i32 = 1_000;

/// One run.
pub struct Session {
    /// The control plane.
    pub connection: Connection,
    /// Where short names are looked for.
    pub place: Place,
    /// How results are shown.
    pub format: Format,
    /// When the run began.
    pub now: OffsetDateTime,
}

// === impl Session ===

impl Session {
    /// Makes one. `name` is its whole name, or, for what the server names, that of its parent.
    pub async fn create(
        &mut self,
        noun: &Noun,
        name: &str,
        resource: &impl Message,
        write: &Write,
    ) -> Result<DynamicMessage, Failure> {
        let mut request = self.connection.message(&noun.request("Create"))?;
        let id_field = format!("{}_id", noun.field);
        if request.descriptor().get_field_by_name(&id_field).is_some() {
            let (parent, id) = split(name);
            set(&mut request, &id_field, Value::String(id.to_owned()))?;
            set_text(&mut request, "parent", parent)?;
        } else {
            set_text(&mut request, "parent", name)?;
        }
        set(
            &mut request,
            noun.field,
            self.dynamic(noun.message, resource)?,
        )?;
        write.stamp(&mut request)?;
        self.connection
            .call(&noun.method("Create"), &request, ANSWER_WITHIN)
            .await
    }

    /// Changes the fields in `mask`.
    pub async fn update(
        &mut self,
        noun: &Noun,
        resource: &impl Message,
        mask: Vec<&'static str>,
        write: &Write,
    ) -> Result<DynamicMessage, Failure> {
        if mask.is_empty() {
            return Err(Failure::usage(
                "nothing is to be changed; --help shows what can be",
            ));
        }
        let paths = mask.into_iter().map(str::to_owned).collect();
        let mut request = self.connection.message(&noun.request("Update"))?;
        set(
            &mut request,
            noun.field,
            self.dynamic(noun.message, resource)?,
        )?;
        let mask = request
            .get_field_by_name("update_mask")
            .map(std::borrow::Cow::into_owned);
        let Some(Value::Message(mut mask)) = mask else {
            return Err(Failure::broken("an update has no mask"));
        };
        mask.transcode_from(&FieldMask { paths })
            .map_err(Failure::broken)?;
        set(&mut request, "update_mask", Value::Message(mask))?;
        write.stamp(&mut request)?;
        self.connection
            .call(&noun.method("Update"), &request, ANSWER_WITHIN)
            .await
    }

    /// Calls a method whose request is little more than a name.
    pub async fn call_by_name(
        &mut self,
        noun: &Noun,
        verb: &str,
        name: &str,
    ) -> Result<DynamicMessage, Failure> {
        let mut request = self.connection.message(&noun.request(verb))?;
        set(&mut request, "name", Value::String(name.to_owned()))?;
        self.connection
            .call(&noun.method(verb), &request, ANSWER_WITHIN)
            .await
    }

    /// Shows one.
    pub async fn get(&mut self, noun: &Noun, name: &str) -> Result<(), Failure> {
        let name = self.place.name(noun.collections, name)?;
        let reply = self.call_by_name(noun, "Get", &name).await?;
        self.show(&reply)
    }

    /// Deletes one.
    pub async fn delete(&mut self, noun: &Noun, delete: &Delete) -> Result<(), Failure> {
        let name = self.place.name(noun.collections, &delete.name)?;
        let etag = delete.etag.as_deref().unwrap_or_default();
        let reply = self.remove(noun, (&name, etag), &delete.write).await?;
        self.show_done("deleted", &name, &reply, &delete.write)?;
        self.settle(&reply, &delete.write).await
    }

    /// Deletes the one of this name, guarded by the etag unless that is empty.
    pub async fn remove(
        &mut self,
        noun: &Noun,
        (name, etag): (&str, &str),
        write: &Write,
    ) -> Result<DynamicMessage, Failure> {
        let mut request = self.connection.message(&noun.request("Delete"))?;
        set_text(&mut request, "name", name)?;
        set_text(&mut request, "etag", etag)?;
        write.stamp(&mut request)?;
        self.connection
            .call(&noun.method("Delete"), &request, ANSWER_WITHIN)
            .await
    }

    /// Reads what stands in `parent`, at most `max` of them, and the last page, which says whether there are more.
    pub async fn all(
        &mut self,
        noun: &Noun,
        parent: &str,
        max: usize,
    ) -> Result<(Vec<Value>, DynamicMessage), Failure> {
        let mut request = self.connection.message(&noun.list_request())?;
        set_text(&mut request, "parent", parent)?;
        let fields = noun.fields();
        let mut found = Vec::new();
        loop {
            // Full: the rest is not asked for, and the page token that is shown says so.
            let size = i32::try_from(max - found.len()).unwrap_or(PAGE).min(PAGE);
            set(&mut request, "page_size", Value::I32(size))?;
            let path = noun.list();
            let mut page = self.connection.call(&path, &request, ANSWER_WITHIN).await?;
            if let Some(Value::List(items)) = page.get_field_by_name_mut(&fields) {
                found.append(items);
            }
            let token = wording::field(&page, "next_page_token");
            if token.is_empty() || found.len() >= max {
                return Ok((found, page));
            }
            set(&mut request, "page_token", Value::String(token))?;
        }
    }

    /// Lists what stands in `parent`, at most `max` of them.
    pub async fn list(&mut self, noun: &Noun, parent: &str, max: usize) -> Result<(), Failure> {
        let (found, mut page) = self.all(noun, parent, max).await?;
        let more = !wording::field(&page, "next_page_token").is_empty();
        match self.format {
            Format::Json => {
                set(&mut page, &noun.fields(), Value::List(found))?;
                output::line(json(&page)?)?;
            }
            Format::Table => {
                let row = |item: &Value| {
                    let item = item.as_message();
                    let cell = |(_, field): &(_, &str)| item.map(|it| wording::field(it, field));
                    noun.columns
                        .iter()
                        .map(|column| cell(column).unwrap_or_default())
                        .collect()
                };
                let heads: Vec<&str> = noun.columns.iter().map(|(head, _)| *head).collect();
                let rows: Vec<Vec<String>> = found.iter().map(row).collect();
                output::line(output::table(&heads, &rows))?;
            }
        }
        if more {
            output::remark("there are more; --max shows them");
        }
        Ok(())
    }

    /// Shows a message: as JSON, or its fields one below the other.
    pub fn show(&self, message: &DynamicMessage) -> Result<(), Failure> {
        match self.format {
            Format::Json => output::line(json(message)?),
            Format::Table => output::line(output::listing(&wording::fields(message))),
        }
    }

    /// Shows a message of the admin API that was read as what it is.
    pub fn show_typed(&self, name: &str, typed: &impl Message) -> Result<(), Failure> {
        let mut message = self.connection.message(name)?;
        message.transcode_from(typed).map_err(Failure::broken)?;
        self.show(&message)
    }

    /// A message of the admin API as JSON in one line.
    pub fn json_of(&self, name: &str, typed: &impl Message) -> Result<String, Failure> {
        let mut message = self.connection.message(name)?;
        message.transcode_from(typed).map_err(Failure::broken)?;
        serde_json::to_string(&message).map_err(Failure::broken)
    }

    /// Shows what a write made or left, and waits for the edges if that was asked.
    pub async fn finish(&mut self, reply: &DynamicMessage, write: &Write) -> Result<(), Failure> {
        self.show(reply)?;
        if write.validate_only {
            output::remark("nothing was written: it was only checked");
        }
        self.settle(reply, write).await
    }

    /// Waits for the edges if that was asked.
    pub async fn settle(&mut self, reply: &DynamicMessage, write: &Write) -> Result<(), Failure> {
        let Some(within) = write.wait else {
            return Ok(());
        };
        let waited = propagation::wait(&mut self.connection, revision(reply), "", within).await?;
        propagation::check(&waited)?;
        output::remark(propagation::sentence(&waited));
        Ok(())
    }

    /// Shows that `name` was `done`, for which a reply has no words.
    pub fn show_done(
        &self,
        done: &str,
        name: &str,
        reply: &DynamicMessage,
        write: &Write,
    ) -> Result<(), Failure> {
        match (self.format, write.validate_only) {
            (Format::Json, _) => output::line(json(reply)?),
            (Format::Table, false) => output::line(format!("{done} {name}")),
            (Format::Table, true) => output::line(format!("{name} could be {done}")),
        }
    }

    /// The same as a value of a field.
    pub fn dynamic(&self, name: &str, typed: &impl Message) -> Result<Value, Failure> {
        let mut message = self.connection.message(name)?;
        message.transcode_from(typed).map_err(Failure::broken)?;
        Ok(Value::Message(message))
    }
}

/// A message in the canonical JSON form of the contract.
pub fn json(message: &DynamicMessage) -> Result<String, Failure> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut out);
    let options = SerializeOptions::new();
    message
        .serialize_with_options(&mut serializer, &options)
        .map_err(Failure::broken)?;
    String::from_utf8(out).map_err(Failure::broken)
}

/// Sets a field. That there is one of this type is certain in a build whose tests ran.
pub fn set(message: &mut DynamicMessage, field: &str, value: Value) -> Result<(), Failure> {
    message
        .try_set_field_by_name(field, value)
        .map_err(Failure::broken)
}

/// Sets a text, where there is one to set.
fn set_text(message: &mut DynamicMessage, field: &str, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        Ok(())
    } else {
        set(message, field, Value::String(text.to_owned()))
    }
}

/// The revision of a write: in the reply, or in the one noun that it holds.
fn revision(reply: &DynamicMessage) -> i64 {
    let own = |message: &DynamicMessage| match message.get_field_by_name("revision").as_deref() {
        Some(Value::I64(revision)) => Some(*revision),
        _ => None,
    };
    let nested = || {
        reply
            .fields()
            .find_map(|(_, value)| own(value.as_message()?))
    };
    own(reply).or_else(nested).unwrap_or(0)
}
