//! The program: from the words of the command line to an exit code.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use lifecycle::clock::Clock;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    admin,
    arguments::{Arguments, Command, Global},
    connection::{Access, Connection},
    failure::{Exit, Failure},
    local, login, output,
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
        Command::Login(arguments) => as_stranger(global, async |access, session| {
            login::run(&arguments, access, session).await
        }),
        Command::Activate(user) => as_stranger(global, async |_, session| {
            local::activate(&user, session).await
        }),
        Command::ChangePassword(user) => as_stranger(global, async |_, session| {
            local::change_password(&user, session).await
        }),
        Command::Whoami => present(global, Own::Shown),
        Command::Logout => present(global, Own::Ended),
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
        return admin::audit_verify::verify(which);
    }
    let now = OffsetDateTime::from(Clock::system().now());
    let key = key(&global, now)?;
    runtime()?.block_on(async {
        let connection = Connection::open(&global.access, Some(&key))?;
        let mut session = session(connection, global, now);
        Box::pin(admin::run(command, &mut session)).await
    })
}

/// Does what needs no key.
fn as_stranger(
    global: Global,
    done: impl AsyncFnOnce(&Access, &mut Session) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let now = OffsetDateTime::from(Clock::system().now());
    runtime()?.block_on(async {
        let access = global.access.clone();
        let connection = Connection::open(&access, None)?;
        let mut session = session(connection, global, now);
        Box::pin(done(&access, &mut session)).await
    })
}

/// What is done with the key that is presented.
#[derive(Debug, Clone, Copy)]
enum Own {
    Shown,
    Ended,
}

fn present(global: Global, own: Own) -> Result<(), Failure> {
    let now = OffsetDateTime::from(Clock::system().now());
    let access = global.access.clone();
    let key = match own {
        Own::Shown => key(&global, now)?,
        // One that was given otherwise is not what a login has left.
        Own::Ended => match login::left(&access)? {
            Some(key) => key,
            None => return output::line(format_args!("nobody is logged in at {}", access.address)),
        },
    };
    runtime()?.block_on(async {
        let connection = Connection::open(&access, Some(&key))?;
        let mut session = session(connection, global, now);
        match own {
            Own::Shown => login::who_am_i(&mut session).await,
            Own::Ended => login::log_out(&access, &mut session).await,
        }
    })
}

fn key(global: &Global, now: OffsetDateTime) -> Result<Zeroizing<String>, Failure> {
    match global.access.given_key()? {
        Some(key) => Ok(key),
        None => login::kept(&global.access, now)?.ok_or_else(no_key),
    }
}

fn session(connection: Connection, global: Global, now: OffsetDateTime) -> Session {
    Session {
        connection,
        place: global.place,
        format: global.output,
        now,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::system("start the runtime", &error))
}

fn no_key() -> Failure {
    let advice =
        "set SLUICE_OPERATOR_KEY, name a file with --operator-key-file, or log in: `sluice login`";
    Failure::new(Exit::Denied, "there is no operator's key").with_advice(advice)
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
