//! For how long a project keeps content.
//!
//! Knows numbers of days; of which requests it is kept stands in `policy::keeping`.

/// For how many days where nobody says.
pub const DAYS_DEFAULT: u16 = 7;

/// For how many days at most.
pub const DAYS_MAX: u16 = 90;

/// Reads a number of days; zero means: as many as where nobody says.
pub fn days(given: i32) -> Result<u16, String> {
    match u16::try_from(given) {
        Ok(0) => Ok(DAYS_DEFAULT),
        Ok(days) if days <= DAYS_MAX => Ok(days),
        _ => Err(format!("must be from 1 to {DAYS_MAX}")),
    }
}
