//! Completions of what only the project knows: names of stages and of runs. A shell asks for them by a word that is none of
//! the commands.
//! Unaware of what the commands do with the names.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap_complete::Shell;
use engine::history::History;
use engine::root;

use super::args::folder_of;
use super::{print, print_raw};

/// The word before what is asked for.
pub const WORD: &str = "__names";

/// Prints the names, a line each; none where nothing is known. A shell that completes shows no errors.
pub fn names(words: &[String]) -> ExitCode {
    let cache = root::cache(&folder_of(None));
    let history = History::open(&cache);
    let found: Vec<String> = match words.first().map(String::as_str) {
        Some("runs") => history.ids().iter().rev().take(RUNS).cloned().collect(),
        Some("stages") => stages(&history, words.get(1).map(PathBuf::from).as_deref()),
        _ => Vec::new(),
    };
    for name in found {
        let line = format!("{name}\n");
        if std::io::stdout().is_terminal() {
            print(&line);
        } else {
            print_raw(&line); // a shell compares it with what was typed
        }
    }
    ExitCode::SUCCESS
}

/// So many runs are offered.
const RUNS: usize = 50;

/// The stages of the last run, or of the last one of this file.
fn stages(history: &History, file: Option<&Path>) -> Vec<String> {
    let file = file.map(|file| std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()));
    let runs = history.ids().iter().rev().take(RUNS);
    let mut runs = runs.filter_map(|id| history.read(id).ok());
    let is_of = |run: &engine::history::Past| {
        file.as_ref()
            .is_none_or(|file| Path::new(&run.header.file) == file)
    };
    let run = runs.find(is_of);
    let keys = run.map(|run| history.keys(&run)).unwrap_or_default();
    keys.into_keys().collect()
}

/// What is added to the completions of a shell.
pub const fn words(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Fish => FISH,
        Shell::Zsh => ZSH,
        _ => "",
    }
}

const BASH: &str = r#"
# Names that only the project knows.
_pipeline_with_names() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" names="" word file=""
    for word in "${COMP_WORDS[@]:2}"; do
        [[ $word == *.yaml || $word == *.yml ]] && file=$word
    done
    case "$prev" in
        --device) COMPREPLY=($(compgen -W "auto cpu cuda cuda:0 cuda:1" -- "$cur")); return ;;
        --run) names=$("${COMP_WORDS[0]}" __names runs 2>/dev/null) ;;
        --force) names=$("${COMP_WORDS[0]}" __names stages ${file:+"$file"} 2>/dev/null) ;;
    esac
    if [[ -z $names && $cur != -* ]]; then
        case "${COMP_WORDS[1]}" in
            show|diff) names=$("${COMP_WORDS[0]}" __names runs 2>/dev/null) ;;
            explain|log|path|export|exp) names=$("${COMP_WORDS[0]}" __names stages ${file:+"$file"} 2>/dev/null) ;;
            run|plan|graph) [[ -n $file && $cur != "$file" ]] && names=$("${COMP_WORDS[0]}" __names stages ${file:+"$file"} 2>/dev/null) ;;
            cache) [[ ${COMP_WORDS[2]} == @(pin|unpin|export) && $COMP_CWORD -gt 2 ]] && names=$("${COMP_WORDS[0]}" __names stages 2>/dev/null) ;;
        esac
    fi
    if [[ -n $names ]]; then
        # Never `compgen -W`: it expands its words, and a name may hold `$(…)`.
        COMPREPLY=()
        while IFS= read -r word; do
            [[ $word == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$word")")
        done <<< "$names"
        return
    fi
    _pipeline "$@"
}
complete -F _pipeline_with_names -o bashdefault -o default pipeline
"#;

const FISH: &str = r"
# Names that only the project knows.
complete -c pipeline -n '__fish_seen_subcommand_from show diff' -f -a '(pipeline __names runs 2>/dev/null)'
complete -c pipeline -n '__fish_seen_subcommand_from run plan graph explain log path export exp pin unpin' -a '(pipeline __names stages 2>/dev/null)'
complete -c pipeline -l device -x -a 'auto cpu cuda cuda:0 cuda:1'
complete -c pipeline -n '__fish_seen_subcommand_from log' -l run -x -a '(pipeline __names runs 2>/dev/null)'
";

const ZSH: &str = r#"
# Names that only the project knows.
_pipeline_with_names() {
    local -a found
    case "${words[CURRENT-1]}" in
        --device) compadd auto cpu cuda cuda:0 cuda:1; return ;;
    esac
    case "${words[2]}" in
        show|diff) found=("${(@f)$(pipeline __names runs 2>/dev/null)}") ;;
        run|plan|graph|explain|log|path|export|exp) found=("${(@f)$(pipeline __names stages 2>/dev/null)}") ;;
    esac
    if [[ ${words[CURRENT]} != -* ]]; then compadd -a found; fi
    _pipeline "$@"
}
compdef _pipeline_with_names pipeline
"#;
