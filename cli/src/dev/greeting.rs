//! What `sluice dev` prints when all is ready.

use serde_json::json;
use zeroize::Zeroizing;

use crate::dev::{content::DEMO, control_plane::OPERATOR_KEY, folder::Folder};

/// What whoever started it wants to know.
pub struct Facts {
    /// Where clients call, with `/v1`.
    pub base_url: String,
    /// A key that works.
    pub api_key: Zeroizing<String>,
    /// A model that answers.
    pub model: &'static str,
    /// Where operators call.
    pub admin_address: String,
    /// The operator's key.
    pub operator_key: Zeroizing<String>,
}

/// For programs: one line.
pub fn json(facts: &Facts) -> String {
    json!({
        "base_url": facts.base_url,
        "api_key": facts.api_key.as_str(),
        "model": facts.model,
        "admin_address": facts.admin_address,
        "operator_key": facts.operator_key.as_str(),
    })
    .to_string()
}

/// For people.
pub fn text(facts: &Facts, folder: &Folder) -> String {
    let Facts {
        base_url,
        api_key,
        model,
        admin_address,
        ..
    } = facts;
    let api_key = api_key.as_str();
    let operator_key_file = folder.join(OPERATOR_KEY);
    format!(
        "Sluice runs.

  base URL  {base_url}
  key       {api_key}
  model     {model}
  admin     {admin_address}

Ask it:

  curl -N {base_url}/chat/completions \\
    -H 'Authorization: Bearer {api_key}' -H 'Content-Type: application/json' \\
    -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'

Administer it:

  export SLUICE_ADDRESS={admin_address} SLUICE_OPERATOR_KEY_FILE='{}'
  export SLUICE_ORGANIZATION={DEMO} SLUICE_PROJECT={DEMO}
  sluice models list

Limits are per process here: no other edge shares their counts.
Everything is kept in {}. Ctrl-C ends it.",
        operator_key_file.display(),
        folder.path().display(),
    )
}
