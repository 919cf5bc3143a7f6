//! A request for inference: its inputs, and which outputs are asked for.
//!
//! Reads the facts in one pass and changes nothing: the body goes on as it came. Data may stand behind the JSON, as
//! bytes, when the client says where the JSON ends; every byte of it must then belong to an input.

use payload::object::{Misfit, Object};

use crate::inference::tensor::{self, Tensor};

/// The facts of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// What the client calls the request.
    pub id: Option<String>,
    /// The inputs. There is at least one.
    pub inputs: Vec<Tensor>,
    /// The names of the outputs that are asked for; none asks for all.
    pub outputs: Vec<String>,
}

/// Reads the facts of a body and checks that every input holds together. What is not known is left to the server.
/// `json_bytes` says where the JSON ends, where binary data stands behind it.
pub fn scan(body: &[u8], json_bytes: Option<usize>) -> Result<Scanned, Misfit> {
    let end = json_bytes.unwrap_or(body.len());
    let (Some(text), Some(behind)) = (body.get(..end), body.get(end..)) else {
        return Err(Misfit::new(
            "is shorter than Inference-Header-Content-Length says",
        ));
    };
    let text = str::from_utf8(text).map_err(|_| Misfit::new("must be text in UTF-8"))?;
    let mut members = Object::parse(text)?;
    let id = members.text("id")?.map(std::borrow::Cow::into_owned);
    tensor::elsewhere(members.object("parameters")?)?;
    let inputs = members.array("inputs")?.unwrap_or_default();
    if inputs.is_empty() {
        return Err(tensor::missing("inputs"));
    }
    let inputs = tensor::all(inputs).map_err(|misfit| misfit.within("inputs"))?;
    all_claimed(&inputs, behind.len())?;
    let outputs = members.array("outputs")?.unwrap_or_default();
    if outputs.len() > tensor::TENSORS_MAX {
        return Err(Misfit::new("asks for too many").within("outputs"));
    }
    let outputs = outputs
        .into_iter()
        .enumerate()
        .map(|(at, raw)| output(raw).map_err(|misfit| misfit.within_element(at).within("outputs")));
    Ok(Scanned {
        id,
        inputs,
        outputs: outputs.collect::<Result<_, _>>()?,
    })
}

/// Refuses bytes behind the JSON that no input claims, and claims of bytes that are not there.
fn all_claimed(inputs: &[Tensor], behind: usize) -> Result<(), Misfit> {
    let claims = inputs.iter().filter_map(|input| input.binary_bytes);
    let claimed = claims.fold(0_usize, usize::saturating_add);
    if claimed == behind {
        return Ok(());
    }
    let wants = format!(
        "have {claimed} bytes of binary data by their word, and {behind} stand behind the JSON: \
         Inference-Header-Content-Length says where it ends"
    );
    Err(Misfit::new(wants).within("inputs"))
}

/// The name of an output that is asked for.
fn output(raw: &str) -> Result<String, Misfit> {
    let mut members = Object::parse(raw)?;
    tensor::elsewhere(members.object("parameters")?)?;
    tensor::name(members.text("name")?)
}

/// Where the JSON of a body ends, as the header `inference-header-content-length` says it.
pub fn json_bytes(header: &str) -> Option<usize> {
    let digits = header.trim();
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| digits.parse().ok())?
}
