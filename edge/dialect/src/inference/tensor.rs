//! One tensor of a request or an answer: its name, its shape, and whether its data fits.
//!
//! Owns the count of elements. The data itself is looked at and left where it is.

use std::borrow::Cow;

use payload::object::{Misfit, Object};

use crate::inference::datatype::Datatype;

/// The most tensors of one request or answer. Full: it is refused.
pub const TENSORS_MAX: usize = 256;

/// The most dimensions of a tensor. Full: it is refused.
pub const DIMENSIONS_MAX: usize = 16;

/// The most elements of a tensor. Full: it is refused.
pub const ELEMENTS_MAX: u64 = 1 << 32;

/// The most bytes of a name. Full: it is refused.
pub const NAME_BYTES_MAX: usize = 1_024;

/// The parameter that says that data stands behind the JSON.
const BINARY_DATA_SIZE: &str = "binary_data_size";

/// What is known of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// How long it is in each dimension. None for a single element.
    pub shape: Vec<u64>,
    /// How many elements it has.
    pub elements: u64,
    /// How many bytes its data takes behind the JSON; `None` where it stands in it.
    pub binary_bytes: Option<usize>,
}

// === impl Tensor ===

impl Tensor {
    /// Reads a tensor and checks that its data is what its shape and type say.
    pub(crate) fn parse(raw: &str) -> Result<Self, Misfit> {
        let mut members = Object::parse(raw)?;
        let name = name(members.text("name")?)?;
        let shape = shape(members.array("shape")?)?;
        let elements = elements(&shape)?;
        let datatype = members
            .text("datatype")?
            .ok_or_else(|| missing("datatype"))?;
        let datatype = Datatype::named(&datatype)
            .ok_or_else(|| Misfit::new("is no datatype that we know").within("datatype"))?;
        let parameters = members.object("parameters")?;
        let binary_bytes = binary_bytes(parameters.clone(), datatype, elements)
            .map_err(|misfit| misfit.within(BINARY_DATA_SIZE).within("parameters"))?;
        elsewhere(parameters)?;
        match (members.raw("data")?, binary_bytes) {
            (None, None) => return Err(missing("data")),
            (Some(_), Some(_)) => {
                return Err(Misfit::new("stands there, and behind the JSON too").within("data"));
            }
            (None, Some(_)) => {}
            (Some(data), None) => {
                holds(data, datatype, &shape, elements).map_err(|misfit| misfit.within("data"))?;
            }
        }
        Ok(Self {
            name,
            datatype,
            shape,
            elements,
            binary_bytes,
        })
    }

    /// How many rows it has: its first dimension, one for a single element, and none where there is no element.
    pub fn rows(&self) -> u64 {
        match self.shape.first() {
            _ if self.elements == 0 => 0,
            Some(rows) => *rows,
            None => 1,
        }
    }
}

/// Reads all tensors of a request or answer, no two of one name.
pub(crate) fn all(raw: Vec<&str>) -> Result<Vec<Tensor>, Misfit> {
    if raw.len() > TENSORS_MAX {
        return Err(Misfit::new(format!("has more than {TENSORS_MAX} tensors")));
    }
    let mut tensors: Vec<Tensor> = Vec::with_capacity(raw.len());
    for (at, raw) in raw.into_iter().enumerate() {
        let tensor = Tensor::parse(raw).map_err(|misfit| misfit.within_element(at))?;
        if tensors.iter().any(|other| other.name == tensor.name) {
            let misfit = Misfit::new("stands there twice").within("name");
            return Err(misfit.within_element(at));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

/// The name of a tensor.
pub(crate) fn name(name: Option<Cow<'_, str>>) -> Result<String, Misfit> {
    match name {
        Some(name) if name.len() > NAME_BYTES_MAX => Err(Misfit::new("is too long").within("name")),
        Some(name) if !name.is_empty() => Ok(name.into_owned()),
        _ => Err(missing("name")),
    }
}

/// A member that must be there and is not.
pub(crate) fn missing(name: &str) -> Misfit {
    Misfit::new("is missing").within(name)
}

/// Refuses data that stands in the server's own memory, which is no client's to name from here.
pub(crate) fn elsewhere(parameters: Option<Object<'_>>) -> Result<(), Misfit> {
    let name = "shared_memory_region";
    if parameters.is_some_and(|parameters| parameters.has(name)) {
        let misfit = Misfit::new("is not taken: send the data itself").within(name);
        return Err(misfit.within("parameters"));
    }
    Ok(())
}

/// How many bytes a tensor has behind the JSON, if it has its data there.
fn binary_bytes(
    parameters: Option<Object<'_>>,
    datatype: Datatype,
    elements: u64,
) -> Result<Option<usize>, Misfit> {
    let Some(raw) = parameters
        .map(|mut it| it.raw(BINARY_DATA_SIZE))
        .transpose()?
        .flatten()
    else {
        return Ok(None);
    };
    let bytes: u64 = raw
        .parse()
        .map_err(|_| Misfit::new("must be a whole number of at least 0"))?;
    let wants = datatype.bytes().map(|each| elements.saturating_mul(each));
    match wants {
        Some(wants) if wants != bytes => Err(Misfit::new(format!(
            "must be {wants}: {elements} elements of {}",
            datatype.name()
        ))),
        _ => usize::try_from(bytes)
            .map(Some)
            .map_err(|_| Misfit::new("is too large")),
    }
}

/// Checks that data in JSON is what a shape and a type say.
fn holds(data: &str, datatype: Datatype, shape: &[u64], elements: u64) -> Result<(), Misfit> {
    let found = count(data, datatype, shape.len())?;
    if found == elements {
        return Ok(());
    }
    let wants = format!("has {found} elements where the shape says {elements}");
    Err(Misfit::new(wants))
}

fn shape(raw: Option<Vec<&str>>) -> Result<Vec<u64>, Misfit> {
    let raw = raw.ok_or_else(|| missing("shape"))?;
    if raw.len() > DIMENSIONS_MAX {
        return Err(Misfit::new("has too many dimensions").within("shape"));
    }
    let lengths = raw.into_iter().enumerate().map(|(at, raw)| {
        let length = raw.parse();
        length.map_err(|_| {
            Misfit::new("must be a whole number of at least 0")
                .within_element(at)
                .within("shape")
        })
    });
    lengths.collect()
}

fn elements(shape: &[u64]) -> Result<u64, Misfit> {
    // A dimension of none makes them none, however long the others are.
    if shape.contains(&0) {
        return Ok(0);
    }
    let elements = shape
        .iter()
        .try_fold(1_u64, |all, length| all.checked_mul(*length));
    let elements = elements.filter(|elements| *elements <= ELEMENTS_MAX);
    elements.ok_or_else(|| Misfit::new("has too many elements").within("shape"))
}

/// How many elements there are in data, flat or nested no deeper than its shape. The data was checked to be JSON; this
/// goes over it once, because it may be most of a large body.
fn count(data: &str, datatype: Datatype, dimensions: usize) -> Result<u64, Misfit> {
    if !data.starts_with('[') {
        return Err(Misfit::new("must be an array"));
    }
    let (mut found, mut depth, mut at) = (0, 0, 0);
    while let Some(byte) = data.as_bytes().get(at) {
        match byte {
            b'[' if depth == dimensions.max(1) => {
                return Err(Misfit::new("is nested deeper than its shape"));
            }
            b'[' => depth += 1,
            b']' => depth -= 1,
            b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                let raw = scalar(data, at);
                if !datatype.takes(raw) {
                    let wants = format!("has an element that is no {}", datatype.name());
                    return Err(Misfit::new(wants));
                }
                found += 1;
                at += raw.len();
                continue;
            }
        }
        at += 1;
    }
    Ok(found)
}

/// The string, number or word that begins at `at`; the brace, where an object does.
fn scalar(data: &str, at: usize) -> &str {
    let rest = data.get(at..).unwrap_or_default();
    let mut escaped = false;
    let in_string = rest.starts_with('"');
    let len = rest.bytes().skip(1).position(|byte| {
        if !in_string {
            return matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        }
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let len = len.map_or(rest.len(), |len| len + 1 + usize::from(in_string));
    rest.get(..len).unwrap_or(rest)
}
