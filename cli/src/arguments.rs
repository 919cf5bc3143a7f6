//! The command line as a whole.
//!
//! Knows which commands there are; knows nothing of what they do.

use clap::{Args, Parser, Subcommand};

use crate::{
    admin, connection::Access, failure::EXIT_CODES, local, login, output::Format, place::Place,
};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "sluice",
    version = lifecycle::build::VERSION,
    about = "Sluice: an AI gateway that you run yourself",
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub struct Arguments {
    /// What every command can be told.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command can be told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// How results are shown
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub output: Format,
    /// Where short names are looked for.
    #[command(flatten)]
    pub place: Place,
    /// How to reach the control plane.
    #[command(flatten)]
    pub access: Access,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The nouns.
    #[command(flatten)]
    Admin(Box<admin::Command>),
    /// Log in: exchange a token of an issuer, or a password and a code, for an operator key that ends soon
    Login(Box<login::Arguments>),
    /// Choose a password, as a local user who was given an activation code
    Activate(local::User),
    /// Choose another password, as a local user
    ChangePassword(local::User),
    /// Show whose operator key is presented, and what it may do
    Whoami,
    /// End what a login has left, and forget it
    Logout,
    /// Run everything in one process, to try it out
    #[cfg(feature = "dev")]
    Dev(crate::dev::Arguments),
    /// Print what makes a shell complete these commands
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_stands_in_the_document() {
        let document = include_str!("../../docs/cli.md");
        let root = Arguments::command();
        for noun in root.get_subcommands() {
            let verbs: Vec<_> = noun.get_subcommands().collect();
            assert!(
                document.contains(&format!("sluice {}", noun.get_name())),
                "{}",
                noun.get_name()
            );
            for verb in verbs {
                let line = format!("sluice {} {}", noun.get_name(), verb.get_name());
                assert!(
                    document.contains(&line),
                    "docs/cli.md does not name `{line}`"
                );
            }
        }
        for line in EXIT_CODES.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").unwrap();
            assert!(
                document.contains(&format!("| {code} | {meaning} |")),
                "{line}"
            );
        }
    }

    #[test]
    fn nouns_go_by_their_singular_too() {
        for line in [
            "sluice organization get acme",
            "sluice orgs list",
            "sluice key revoke k1 --project web --organization acme",
            "sluice join-token create --region eu",
            "sluice models create chat --provider openai --provider-model gpt-4o",
            "sluice versions create chat@v2 --target openai=gpt-4o --target backup=gpt-4o-mini --stable",
            "sluice versions deprecate chat@v1 --undo",
            "sluice models deprecate chat --from 2026-12-01 --sunset 30d --successor chat-2",
            "sluice models users chat@v1 --since 30d",
            "sluice alias create fast-latest --model fast --newest --wait",
            "sluice aliases create fast-2026-11-28 --model fast --pin v3",
            "sluice aliases update fast-latest --follow-model",
            "sluice freeze create fair --start 2026-12-19 --end 2027-01-04 --reason fair",
            "sluice freezes create nights --days mon,tue --from 18:00 --until 08:00 --reason nights",
            "sluice source create champion --kind mlflow --url https://mlflow --registered-model m --alias champion --model chat --target vllm={tag.served_as}",
            "sluice sources create llama --kind kserve --url https://k8s --namespace ml --inference-service llama --model chat --target p={name} --step 5% --ca-file ca.pem",
            "sluice rollouts start chat --to v2 --step 5% --force urgent",
            "sluice rollouts force chat --reason urgent",
            "sluice limits create rpm --scope project --unit requests --amount 60 --window minute",
            "sluice edges wait --revision 7 --region eu --timeout 10s",
            "sluice usage --by day,key --since 2026-11-01 -o json",
            "sluice usage --by tag:team,model",
            "sluice usage query --group-by model,tag:team --by day --time-zone Europe/Berlin --where status=200 --percentiles",
            "sluice usage get 01890a5d-ac96-774b-bcce-b302099a8057",
            "sluice usage export records.csv --format csv --since 7d --cursor-file cursor",
            "sluice prices create own --kind openai --model gpt-4o* --input-tokens 2.50 --output-tokens 10 -o json",
            "sluice discount create eight --model * --percent 8.25 --valid-from 2027-01-01",
            "sluice alerts channels create ops --webhook https://ops.example/ --credential-env SECRET",
            "sluice alert channel create chat --slack --credential-file -",
            "sluice alerts channels create mail --email-server a:25 --sender a@b --recipient c@d --recipient e@f",
            "sluice alerts channels test ops",
            "sluice alerts rules create spend --budget any --thresholds 50,80 --channel ops,chat",
            "sluice alerts rules create errors --errors-of chat --error-percent 20 --window 30m --channel ops",
            "sluice alerts rules create keys --key-age 90d --key-unused 30d --rotation-due --channel ops",
            "sluice alerts rules create edges --edge-silent 1m --remind-after 12h --channel ops",
            "sluice alerts list",
            "sluice reprice --since 7d --book now --validate-only",
            "sluice login --ci --trust github --audience sluice",
            "sluice login --trust corp --browser",
            "sluice login --user ada",
            "sluice activate --user localUsers/ada",
            "sluice change-password --user ada",
            "sluice local-users create ada --role owner@organization --lifetime 8h",
            "sluice local-user update ada --disable --above-all",
            "sluice local-users reset ada --text-only",
            "sluice whoami -o json",
            "sluice logout",
            "sluice trusts create github --issuer-url github --subject repo:acme/chat:** --role model-publisher@organization",
            "sluice trust list --above-all",
            "sluice projects update web --forbid-preference max-price --data-collection deny --residency eu --residency ch",
            "sluice projects update web --no-forbidden-preferences --zero-retention no --every-residency",
            "sluice providers update p --data-collection deny --zero-retention yes --residency eu --quantization fp8",
            "sluice route explain --key k --model chat --preferences {\"models\":[\"b\"]}",
            "sluice keys create --expires 90d --wait",
            "sluice keys create --wait=30s --text-only",
        ] {
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_exit_code_2() {
        for line in [
            "sluice frobnicate",
            "sluice keys create --wait=soon",
            "sluice keys create --validate-only --wait",
            "sluice keys create --operator-key slo_x",
            "sluice providers create p --kind openai --credential sk-x",
            "sluice models create chat --provider openai",
            "sluice versions create chat@v1",
            "sluice limits create rpm --scope project --unit requests --amount many --window minute",
            "sluice keys list --max 0",
            "sluice login --ci --browser --trust x",
            "sluice login",
            "sluice login --user ada --browser",
            "sluice local-users update ada --disable --enable",
            "sluice usage --by moon",
            "sluice usage query --by moon",
            "sluice usage export --after 7 --cursor-file cursor",
            "sluice prices create own --model m --input-tokens=-1",
            "sluice prices create own --model m --input-tokens 0.0000000001",
            "sluice prices create own --input-tokens 1",
            "sluice discounts create d --model * --percent 101",
            "sluice alerts channels create ops",
            "sluice alerts channels create ops --slack --webhook https://ops.example/",
            "sluice alerts rules create both --budget any --edge-silent 1m --channel ops",
            "sluice alerts rules create alone --budget any",
        ] {
            assert_eq!(parse(line).map(drop).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_bare_wait_has_its_own_timeout_and_takes_no_argument_away() {
        let arguments = parse("sluice keys revoke --wait k1 --project web").unwrap();
        let Command::Admin(command) = arguments.command else {
            panic!("an admin command")
        };
        let shown = format!("{command:?}");
        assert!(
            shown.contains("wait: Some(10s)") && shown.contains("\"k1\""),
            "{shown}"
        );
    }
}
