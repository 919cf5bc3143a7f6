//! The program: from the words of the command line to an exit code.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use lifecycle::clock::Clock;
use time::OffsetDateTime;

use crate::{
    admin,
    arguments::{Arguments, Command, Global},
    connection::Connection,
    failure::Failure,
    output,
    session::Session,
};

/// Runs it.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "guard") {
        // Before anything else: this process is about to become another program, and never comes back.
        let Err(why) = private_postgres::guard::run(words);
        output::remark(format_args!("sluice: {why}"));
        return ExitCode::FAILURE;
    }
    let Arguments { global, command } = Arguments::parse();
    let done = match command {
        Command::Completions { shell } => completions(shell),
        #[cfg(feature = "dev")]
        Command::Dev(arguments) => crate::dev::run(arguments),
        Command::Admin(command) => administer(global, *command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::remark(format_args!("sluice: {failure}"));
            ExitCode::from(failure.exit() as u8)
        }
    }
}

fn administer(global: Global, command: admin::Command) -> Result<(), Failure> {
    if let admin::Command::Audit(admin::audit::Command::Verify(which)) = &command {
        // Asks nobody, so it needs no key.
        return admin::audit::verify(which);
    }
    let Global {
        output: format,
        place,
        access,
    } = global;
    let key = access.operator_key()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::system("start the runtime", &error))?;
    runtime.block_on(async {
        let connection = Connection::open(&access, &key)?;
        let now = OffsetDateTime::from(Clock::system().now());
        let mut session = Session {
            connection,
            place,
            format,
            now,
        };
        Box::pin(admin::run(command, &mut session)).await
    })
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sluice", &mut script);
    output::line(
        String::from_utf8(script)
            .map_err(Failure::broken)?
            .trim_end(),
    )
}
