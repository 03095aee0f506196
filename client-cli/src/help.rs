//! The help in the reader's language, with an example for every command; completions and man pages of the same texts.

mod swedish;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory as _};

use crate::args::Cli;
use crate::error::CliError;
use crate::ui::Lang;

/// Examples of commands whose arguments leave little to say, by the way to them.
const EXAMPLES: &[(&str, &str)] = &[
    ("pull", "radslag pull"),
    ("push", "radslag push"),
    ("sync", "radslag sync"),
    ("status", "radslag status --format json"),
    ("whoami", "radslag whoami"),
    ("conflicts", "radslag conflicts --org haninge"),
    ("verify", "radslag verify --online"),
    ("area add", "radslag area add --title Bostäder --goal \"Fler bostäder\""),
    ("area edit", "radslag area edit Klimat --goal \"Inga utsläpp\" --decision KS-2026/123"),
    ("area move", "radslag area move Klimat --before Infrastruktur"),
    ("area retire", "radslag area retire Klimat --reason \"ingår i Infrastruktur\""),
    ("area restore", "radslag area restore Klimat"),
    ("area show", "radslag area show Klimat"),
    ("subgoal add", "radslag subgoal add --area Klimat --title \"Resa mindre\""),
    ("subgoal edit", "radslag subgoal edit \"Resa mindre\" --title \"Resa klokare\""),
    ("subgoal move", "radslag subgoal move \"Resa mindre\" --to Infrastruktur"),
    ("subgoal retire", "radslag subgoal retire \"Resa mindre\""),
    ("subgoal restore", "radslag subgoal restore \"Resa mindre\""),
    ("subgoal show", "radslag subgoal show \"Resa mindre\" --as-of 2019-04-10"),
    ("activity edit", "radslag activity edit Nyckeltalsdagen --cost 50000"),
    ("activity move", "radslag activity move Nyckeltalsdagen --to \"Resa mindre\""),
    ("activity retire", "radslag activity retire Nyckeltalsdagen --effective 2027-01-01"),
    ("activity restore", "radslag activity restore Nyckeltalsdagen"),
    ("activity show", "radslag activity show Nyckeltalsdagen"),
    ("party add", "radslag party add --name \"Region Stockholm\" --kind organisation"),
    ("party edit", "radslag party edit \"Anna Be\" --organisation Haninge"),
    ("party move", "radslag party show Haninge"),
    ("party retire", "radslag party retire \"Anna Be\""),
    ("party restore", "radslag party restore \"Anna Be\""),
    ("party show", "radslag party show Haninge"),
    ("baseline list", "radslag baseline list"),
    ("outbox list", "radslag outbox list"),
    ("program", "radslag program list --server http://127.0.0.1:7420"),
    ("area", "radslag area show Klimat"),
    ("subgoal", "radslag subgoal add --area Klimat --title \"Resa mindre\""),
    ("activity", "radslag activity show Nyckeltalsdagen"),
    ("party", "radslag party add --name \"Region Stockholm\""),
];

/// The language that the command line asks for, or that of the locale, before anything is parsed.
pub fn lang(args: &[OsString]) -> Lang {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let after = words.iter().position(|word| *word == "--lang").and_then(|at| words.get(at + 1)).copied();
    match after.or_else(|| words.iter().find_map(|word| word.strip_prefix("--lang="))) {
        Some("sv") => Lang::Sv,
        Some("en") => Lang::En,
        Some(_) | None => Lang::of_locale(),
    }
}

/// The command line with its help in a language.
pub fn command(lang: Lang) -> Command {
    let with_examples = examples(Cli::command(), "");
    match lang {
        Lang::En => with_examples,
        Lang::Sv => in_swedish(with_examples),
    }
}

/// Gives an example to every command that has none of its own.
fn examples(command: Command, above: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(&name, |sub| {
            let path = format!("{above}{name}");
            let example =
                EXAMPLES.iter().find(|(of, _)| *of == path).filter(|_| sub.get_after_help().is_none());
            let sub = match example {
                Some((_, example)) => sub.after_help(format!("Example: {example}")),
                None => sub,
            };
            examples(sub, &format!("{path} "))
        })
    })
}

fn translated(text: &StyledStr) -> Option<&'static str> {
    let text = text.to_string();
    swedish::TEXTS.iter().find(|(english, _)| *english == text).map(|(_, swedish)| *swedish)
}

fn in_swedish(command: Command) -> Command {
    let about = command.get_about().and_then(translated);
    let after = command.get_after_help().map(|text| {
        let text = text.to_string();
        text.replace("Examples: ", "Exempel:  ")
            .replace("Example: ", "Exempel: ")
            .replace("As it was shown earlier: ", "Som det visades tidigare: ")
    });
    let mut command = command;
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    command = command.mut_args(|arg| {
        let heading = match (arg.is_positional(), arg.is_global_set()) {
            (true, _) => "Argument",
            (false, true) => "Flaggor för alla kommandon",
            (false, false) => "Flaggor",
        };
        let help = arg.get_help().and_then(translated);
        // The texts name the values themselves.
        let valued = arg.get_action().takes_values();
        let arg = arg.help_heading(heading);
        let arg = if valued { arg.hide_possible_values(true) } else { arg };
        match help {
            Some(help) => arg.help(help),
            None => arg,
        }
    });
    let help = Arg::new("hjälp").short('h').long("help").action(ArgAction::Help).help("Visa den här hjälpen");
    command = command.disable_help_flag(true).arg(help.help_heading("Flaggor"));
    command = command
        .subcommand_help_heading("Kommandon")
        .subcommand_value_name("KOMMANDO")
        .help_template("{about-with-newline}\nAnvändning: {usage}\n\n{all-args}{after-help}");
    if command.get_version().is_some() {
        let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
        command =
            command.disable_version_flag(true).arg(version.help("Visa version").help_heading("Flaggor"));
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(&name, in_swedish))
}

/// What is wrong with a command line, in Swedish; none where the English words have to do.
pub fn wrong(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        Some(_) | None => None,
    };
    let arg = || text(ContextKind::InvalidArg).unwrap_or_default();
    let value = || text(ContextKind::InvalidValue).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::UnknownArgument => format!("det finns ingen flagga eller plats för {:?}", arg()),
        ErrorKind::InvalidSubcommand => {
            format!("det finns inget kommando {:?}", text(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::MissingRequiredArgument => format!("det saknas: {}", arg()),
        ErrorKind::ArgumentConflict => {
            format!(
                "{} kan inte stå tillsammans med {}",
                arg(),
                text(ContextKind::PriorArg).unwrap_or_default()
            )
        }
        ErrorKind::InvalidValue if value().is_empty() => format!("{} behöver ett värde", arg()),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let may =
                text(ContextKind::ValidValue).map_or(String::new(), |may| format!("; välj bland {may}"));
            format!("{:?} duger inte för {}{may}", value(), arg())
        }
        _ => return None,
    };
    let like = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand].into_iter().find_map(text);
    let like = like.map_or(String::new(), |like| format!("\n\ntips: menade du {like}?"));
    Some(format!("fel: {what}{like}\n\nMer: radslag --help, radslag KOMMANDO --help\n"))
}

/// `completions SHELL`.
pub fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(Lang::En), "radslag", &mut text);
    std::io::stdout().lock().write_all(&text).map_err(CliError::Output)
}

/// `man DIR`: a page a command.
pub fn man(dir: &Path, lang: Lang) -> Result<(), CliError> {
    let failed = |source| CliError::File { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command(lang), dir).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name());
            found.push((path.clone(), sub.clone()));
            visible(sub, &path, found);
        }
    }

    fn all(lang: Lang) -> Vec<(String, Command)> {
        let mut found = vec![("radslag".to_owned(), command(lang))];
        visible(&command(lang), "radslag", &mut found);
        found
    }

    #[test]
    fn every_command_has_an_example_that_the_command_line_takes() {
        for (path, command) in all(Lang::En).into_iter().skip(1) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("radslag "), "{path} has no example");
        }
        for (of, example) in EXAMPLES {
            let words = words(example);
            assert!(command(Lang::En).try_get_matches_from(&words).is_ok(), "{of}: {example}");
            assert!(command(Lang::Sv).try_get_matches_from(&words).is_ok(), "{of}: {example}");
        }
    }

    /// A line cut into words as a shell does.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('"').enumerate();
        let cut = parts.flat_map(|(at, part)| {
            let quoted = at % 2 == 1;
            if quoted { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
        });
        cut.collect()
    }

    #[test]
    fn every_text_of_the_help_is_there_in_swedish() {
        for (path, command) in all(Lang::En) {
            let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
            let texts = args.filter_map(|arg| arg.get_help()).chain(command.get_about());
            for text in texts {
                assert!(translated(text).is_some(), "{path}: {text}");
            }
        }
        let mut swedish = command(Lang::Sv);
        let help = swedish.render_help().to_string();
        for word in ["Användning: ", "Kommandon:", "Flaggor:", "Visa den här hjälpen"] {
            assert!(help.contains(word), "{help}");
        }
        for english in ["Usage:", "Options:", "Commands:", "Print help"] {
            assert!(!help.contains(english), "{help}");
        }
    }

    #[test]
    fn a_wrong_command_line_is_said_in_swedish() {
        for (args, said) in [
            (&["frobnicate"][..], "det finns inget kommando \"frobnicate\""),
            (&["show", "--frob"], "det finns ingen flagga eller plats för \"--frob\""),
            (&["edit"], "det saknas: <ACTIVITY>"),
            (&["show", "--mine", "--org", "x"], "kan inte stå tillsammans med"),
            (&["show", "--stale", "snart"], "\"snart\" duger inte för"),
        ] {
            let line = [&["radslag"], args].concat();
            let error = command(Lang::Sv).try_get_matches_from(line).unwrap_err();
            let text = wrong(&error).unwrap();
            assert!(text.starts_with("fel: ") && text.contains(said), "{text}");
        }
    }
}
