//! One vector of an embedding, as numbers or packed, and each made of the other.
//!
//! Owns the packed form: 32-bit floats, the least byte first, in base64. Must never round what it only carries: a
//! vector that is asked for in the form in which it came is given back as it came.

use payload::json::{self, Fault};

use crate::{base64, neutral::Json};

/// One vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vector {
    /// An array of numbers, as it was written.
    Numbers(Json),
    /// 32-bit floats, the least byte first, in base64.
    Packed(String),
}

// === impl Vector ===

impl Vector {
    /// The vector as an array of numbers. `None` if what was packed is not base64 of whole floats, or if one of
    /// them is no number that JSON can write.
    pub fn to_numbers(&self) -> Option<Json> {
        match self {
            Self::Numbers(numbers) => Some(numbers.clone()),
            Self::Packed(packed) => numbers(&base64::decode(packed)?),
        }
    }

    /// The vector packed. `None` if it is not an array of numbers.
    pub fn to_packed(&self) -> Option<String> {
        match self {
            Self::Packed(packed) => Some(packed.clone()),
            Self::Numbers(numbers) => {
                let mut bytes = Vec::new();
                let raw = numbers.as_str();
                let walked = json::elements(raw, |place| {
                    let float = raw.get(place).and_then(|number| number.parse::<f32>().ok());
                    let float = float.filter(|float| float.is_finite());
                    bytes.extend(float.ok_or(Fault::Malformed { at: 0 })?.to_le_bytes());
                    Ok::<_, Fault>(())
                });
                walked.ok()?;
                Some(base64::encode(&bytes))
            }
        }
    }
}

/// Floats, four bytes each, as an array.
fn numbers(bytes: &[u8]) -> Option<Json> {
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let mut raw = String::with_capacity(bytes.len() * 3 + 2);
    raw.push('[');
    for four in bytes.chunks_exact(4) {
        let float = f32::from_le_bytes(four.try_into().ok()?);
        if !float.is_finite() {
            return None;
        }
        if raw.len() > 1 {
            raw.push(',');
        }
        raw.push_str(&float.to_string());
    }
    raw.push(']');
    Some(Json::of(&raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_packed_floats_are_made_of_each_other() {
        let numbers = Vector::Numbers(Json::of("[0.5, -2,1e-3,0]"));
        assert_eq!(numbers.to_packed().unwrap(), "AAAAPwAAAMBvEoM6AAAAAA==");
        let packed = Vector::Packed("AAAAPwAAAMBvEoM6AAAAAA==".to_owned());
        assert_eq!(packed.to_numbers().unwrap().as_str(), "[0.5,-2,0.001,0]");
        assert_eq!(
            Vector::Packed(String::new()).to_numbers().unwrap().as_str(),
            "[]"
        );
    }

    #[test]
    fn what_is_no_vector_of_floats_is_none() {
        for numbers in ["[null]", "[\"1\"]", "{}", "[1e99]", "[[1]]"] {
            let vector = Vector::Numbers(Json::of(numbers));
            assert_eq!(vector.to_packed(), None, "{numbers}");
        }
        for packed in ["AAAA", "A", "AAAA!A==", "AADAfw==", "AA=A"] {
            let vector = Vector::Packed(packed.to_owned());
            assert_eq!(vector.to_numbers(), None, "{packed}");
        }
    }

    #[test]
    fn random_floats_come_back_the_same() {
        let mut rng = fastrand::Rng::with_seed(5);
        for count in 0..40 {
            let floats: Vec<f32> = (0..count).map(|_| rng.f32() - 0.5).collect();
            let written: Vec<String> = floats.iter().map(f32::to_string).collect();
            let numbers = Vector::Numbers(Json::of(&format!("[{}]", written.join(","))));
            let packed = Vector::Packed(numbers.to_packed().unwrap());
            assert_eq!(packed.to_numbers(), numbers.to_numbers());
        }
    }
}
