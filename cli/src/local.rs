//! `sluice activate` and `sluice change-password`, and the login of a local user: of somebody who proves themselves to the control plane
//! itself.
//!
//! What is asked for is asked of whoever sits there. No password, code or key is printed.

use clap::Args;
use proto::admin::{
    BeginActivationRequest, BeginActivationResponse, ChangePasswordRequest, ChangePasswordResponse,
    FinishActivationRequest, FinishActivationResponse, LogInRequest, LogInResponse,
};
use qrcode::{QrCode, render::unicode::Dense1x2};
use zeroize::Zeroizing;

use crate::{
    answer,
    connection::ANSWER_WITHIN,
    failure::{Exit, Failure},
    output,
    session::Session,
};

/// The collections of a local user's name.
const LOCAL_USERS: &[&str] = &["organizations", "localUsers"];

/// Who.
#[derive(Debug, Clone, Args)]
pub struct User {
    /// Which local user; `localUsers/NAME` for one above all organizations
    #[arg(long, env = "SLUICE_USER", value_name = "NAME")]
    user: String,
}

/// The whole name of a local user.
pub fn name(user: &str, session: &Session) -> Result<String, Failure> {
    match user {
        above if above.starts_with("localUsers/") => Ok(above.to_owned()),
        user => session.place.name(LOCAL_USERS, user),
    }
}

/// What a local user is given for their password and a code.
pub async fn log_in(user: &str, session: &mut Session) -> Result<LogInResponse, Failure> {
    let request = LogInRequest {
        local_user: name(user, session)?,
        password: answer::secret("password")?.to_string(),
        code: code()?,
    };
    session
        .connection
        .call_for("LoginService/LogIn", &request, ANSWER_WITHIN)
        .await
}

/// Has somebody choose a password, and their authenticator compute codes.
pub async fn activate(user: &User, session: &mut Session) -> Result<(), Failure> {
    let local_user = name(&user.user, session)?;
    let activation_code = answer::secret("activation code")?;
    let request = BeginActivationRequest {
        local_user: local_user.clone(),
        activation_code: activation_code.to_string(),
    };
    let begun: BeginActivationResponse = session
        .connection
        .call_for("LoginService/BeginActivation", &request, ANSWER_WITHIN)
        .await?;
    show(&Zeroizing::new(begun.otpauth_uri))?;
    let request = FinishActivationRequest {
        local_user: local_user.clone(),
        activation_code: activation_code.to_string(),
        password: answer::chosen("new password")?.to_string(),
        code: code()?,
    };
    let _: FinishActivationResponse = session
        .connection
        .call_for("LoginService/FinishActivation", &request, ANSWER_WITHIN)
        .await?;
    output::line(format_args!(
        "{local_user} is active; log in with `sluice login --user {}`",
        user.user
    ))
}

/// Has somebody choose another password.
pub async fn change_password(user: &User, session: &mut Session) -> Result<(), Failure> {
    let request = ChangePasswordRequest {
        local_user: name(&user.user, session)?,
        password: answer::secret("password")?.to_string(),
        code: code()?,
        new_password: answer::chosen("new password")?.to_string(),
    };
    let reply: ChangePasswordResponse = session
        .connection
        .call_for("LoginService/ChangePassword", &request, ANSWER_WITHIN)
        .await?;
    output::line(format_args!(
        "the password is changed; {} logins were ended",
        reply.revoked
    ))
}

fn code() -> Result<String, Failure> {
    let code = answer::secret("code of your authenticator")?;
    // Authenticators show them in two groups.
    Ok(code.chars().filter(|it| *it != ' ').collect())
}

/// Shows what an authenticator reads: as a picture where somebody sits there, and as text.
fn show(uri: &str) -> Result<(), Failure> {
    if answer::is_asked() {
        let picture = QrCode::new(uri).map_err(|_| {
            Failure::new(
                Exit::Failed,
                "the control plane's URI is too long for a picture",
            )
        })?;
        // Terminals are dark, and readers want dark on light.
        let picture = picture
            .render::<Dense1x2>()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build();
        output::remark("Let your authenticator read this, or give it the text below:");
        output::remark(picture);
    }
    output::line(uri)
}
