//! What a person is asked for and others shall not see: a password, a code.
//!
//! A terminal does not show what is typed. Where standard input is none, a program answers, a line for each question. Never an argument
//! nor a variable, which others on the machine could read.

use std::io::{self, BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use crate::{
    failure::{Exit, Failure},
    output,
};

/// The longest answer, in bytes.
// Full: it is none, and the command ends.
const BYTES_MAX: u64 = 4_096;

/// Whether somebody sits there.
pub fn is_asked() -> bool {
    io::stdin().is_terminal()
}

/// Asks for one.
pub fn secret(what: &str) -> Result<Zeroizing<String>, Failure> {
    let refused = |error| Failure::system(format!("read {what}"), &error);
    let answer = if is_asked() {
        let typed = rpassword::prompt_password(format!("{what}: "));
        Zeroizing::new(typed.map_err(refused)?)
    } else {
        let mut line = Zeroizing::new(String::new());
        let mut input = io::stdin().lock().take(BYTES_MAX);
        input.read_line(&mut line).map_err(refused)?;
        if u64::try_from(line.len()) == Ok(BYTES_MAX) {
            return Err(refused(io::ErrorKind::FileTooLarge.into()));
        }
        let end = line.trim_end_matches(['\r', '\n']).len();
        line.truncate(end);
        line
    };
    if answer.is_empty() {
        return Err(Failure::new(Exit::Denied, format!("there is no {what}")));
    }
    Ok(answer)
}

/// Asks for a new one, of somebody who sits there twice: nobody sees what they mistype.
pub fn chosen(what: &str) -> Result<Zeroizing<String>, Failure> {
    loop {
        let first = secret(what)?;
        if !is_asked() || *first == *secret("the same again")? {
            return Ok(first);
        }
        output::remark("those two differ; once more");
    }
}
