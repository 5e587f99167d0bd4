//! Finds a network among the tensors of a file: behind which entries of its dictionaries and which prefix it stands.
//! Unaware of files, of numbers, and of which network it is.
//!
//! ```text
//!   names of the file ──┬─> every way to cut a name in two: `params_ema.module.` + `conv.weight`
//!   names of the network┘        │ the second part is a name of the network
//!                                v
//!                        prefixes, each with the names found behind it
//!                                │ all of them are there
//!                                v
//!                        candidates, in a documented order ──> the network's prefix, and a note
//! ```
//!
//! An entry of a dictionary and a prefix of names look alike once the names are joined with dots, and both are taken off
//! by the same rule. Of several complete copies an averaged one (EMA) comes first, then the entries of [`KNOWN`] in their
//! order, then names without any prefix; where that does not decide, the user has to (`entry:`).

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Shapes;

/// What is looked for.
pub struct Wanted<'a> {
    /// The network's names, each with its shape.
    pub shapes: Shapes,
    /// The network's own name for what a file calls otherwise.
    pub rename: &'a dyn Fn(&str) -> String,
    /// What files store beside weights and nobody loads (by the name without prefix).
    pub ignored: &'a dyn Fn(&str) -> bool,
    /// The entry that the user chose.
    pub entry: Option<&'a str>,
}

/// Where a network stands in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What stands before each of its names; empty, or ends in a dot.
    pub prefix: String,
    /// Other prefixes behind which all of the network stands, in the order of preference.
    pub others: Vec<String>,
    /// Tensors behind other prefixes.
    pub left_out: usize,
}

/// Why no network was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No prefix has all names. The one with the most is given, and what is said about several that share them.
    Incomplete {
        /// The prefix with the most names.
        prefix: String,
        /// Where the names are, if more than one prefix has some that the first lacks.
        scattered: Option<String>,
    },
    /// Several copies are there, and nothing says which is meant.
    Ambiguous {
        /// Their prefixes.
        prefixes: Vec<String>,
    },
    /// The user's entry is not there.
    NoEntry {
        /// The entries that there are.
        entries: Vec<String>,
    },
}

/// Entries that training programs write, in the order in which they are preferred.
pub const KNOWN: [&str; 12] = [
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "net_g",
    "generator",
    "module",
    "_orig_mod",
    "sam",
    "sam_model",
];

/// Finds the network among the tensors of a file.
pub fn find(file: &Shapes, wanted: &Wanted<'_>) -> Result<Place, Lost> {
    let mut behind = prefixes(file, wanted);
    if let Some(entry) = wanted.entry {
        if !file.keys().any(|name| is_behind(name, entry)) {
            return Err(Lost::NoEntry {
                entries: entries(file),
            });
        }
        behind.retain(|prefix, _| is_behind(prefix, entry));
        // Where nothing of the network is behind it, the message is about the entry all the same.
        behind.entry(format!("{entry}.")).or_default();
    }
    let mut complete: Vec<(&String, &Behind)> = behind
        .iter()
        .filter(|(_, found)| found.names.len() == wanted.shapes.len())
        .collect();
    if complete.iter().any(|(_, found)| found.fits) {
        complete.retain(|(_, found)| found.fits);
    }
    let mut complete: Vec<String> = complete.into_iter().map(|(p, _)| p.clone()).collect();
    complete.sort_by_key(|prefix| rank(prefix));
    match complete.as_slice() {
        [] => Err(incomplete(&behind)),
        [first, second, ..] if !is_decided(first, second) => {
            Err(Lost::Ambiguous { prefixes: complete })
        }
        [first, others @ ..] => Ok(Place {
            prefix: first.clone(),
            others: others.to_vec(),
            left_out: file
                .keys()
                .filter(|n| !n.starts_with(first.as_str()))
                .count(),
        }),
    }
}

/// What a prefix has behind it.
struct Behind {
    /// Names of the network.
    names: BTreeSet<String>,
    /// Whether all of them have the network's shapes.
    fits: bool,
}

impl Default for Behind {
    fn default() -> Self {
        Self {
            names: BTreeSet::new(),
            fits: true,
        }
    }
}

fn prefixes(file: &Shapes, wanted: &Wanted<'_>) -> BTreeMap<String, Behind> {
    let mut all: BTreeMap<String, Behind> = BTreeMap::new();
    for (name, shape) in file {
        for at in cuts(name) {
            let own = (wanted.rename)(&name[at..]);
            if let Some(want) = wanted.shapes.get(&own) {
                let behind = all.entry(name[..at].to_owned()).or_default();
                behind.fits &= want == shape;
                behind.names.insert(own);
            }
        }
    }
    all
}

/// Deepest entry that is looked into: a name of a thousand parts is no network's.
const DEEPEST: usize = 16;

/// Where a name may be cut: before it, and behind each dot.
fn cuts(name: &str) -> impl Iterator<Item = usize> {
    let dots = name.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0).chain(dots.take(DEEPEST))
}

/// Whether `name` is `entry`, or behind it.
fn is_behind(name: &str, entry: &str) -> bool {
    name.strip_prefix(entry)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// Less is preferred: by entries from the outside in, an averaged network before all others, none at all last.
fn rank(prefix: &str) -> (bool, bool, Vec<usize>) {
    let parts = || prefix.trim_end_matches('.').split('.');
    let place = |part: &str| KNOWN.iter().position(|known| *known == part);
    let places = parts().map(|part| place(part).unwrap_or(KNOWN.len()));
    (
        !parts().any(is_average),
        prefix.is_empty(),
        places.collect(),
    )
}

/// Whether one of two prefixes is preferred for what it says, and not only for its length or its letters.
fn is_decided(first: &str, second: &str) -> bool {
    let (a, b) = (rank(first), rank(second));
    if (a.0, a.1) != (b.0, b.1) {
        return true;
    }
    let mut parts = first.split('.').zip(second.split('.'));
    let differ = parts.position(|(a, b)| a != b);
    differ.is_none_or(|at| a.2.get(at) != b.2.get(at))
}

/// Whether an entry's name says that it is an exponential moving average: `params_ema`, `model-ema`, `ema`.
fn is_average(part: &str) -> bool {
    part.split(['_', '-'])
        .any(|word| word.eq_ignore_ascii_case("ema"))
}

fn incomplete(behind: &BTreeMap<String, Behind>) -> Lost {
    // Of those with equally many the first, which is the shortest.
    let most = behind.iter().rev().max_by_key(|(_, b)| b.names.len());
    let Some((prefix, most)) = most else {
        return Lost::Incomplete {
            prefix: String::new(),
            scattered: None,
        };
    };
    let mut places = vec![counted(prefix, most.names.len())];
    for (other, found) in behind {
        match found.names.difference(&most.names).count() {
            0 => {}
            more => places.push(counted(other, more)),
        }
    }
    let rest = places.len().saturating_sub(LISTED);
    places.truncate(LISTED);
    if rest > 0 {
        places.push(format!("more behind {rest} other prefixes"));
    }
    Lost::Incomplete {
        prefix: prefix.clone(),
        scattered: (places.len() > 1).then(|| places.join(", ")),
    }
}

/// Prefixes and entries that a message lists.
const LISTED: usize = 8;

fn counted(prefix: &str, count: usize) -> String {
    if prefix.is_empty() {
        format!("{count} without a prefix")
    } else {
        format!("{count} behind `{prefix}`")
    }
}

/// The outermost entries of a file.
fn entries(file: &Shapes) -> Vec<String> {
    let first = file.keys().filter_map(|name| name.split_once('.'));
    let all: BTreeSet<&str> = first.map(|(entry, _)| entry).collect();
    all.into_iter().take(LISTED).map(str::to_owned).collect()
}

impl Place {
    /// What a person should know, if it is more than the names as they stand.
    pub fn note(&self) -> Option<String> {
        if self.prefix.is_empty() && self.others.is_empty() {
            return None;
        }
        let mut note = match self.prefix.trim_end_matches('.') {
            "" => "the network stands without a prefix".to_owned(),
            prefix => format!("the network stands behind `{prefix}`"),
        };
        if !self.others.is_empty() {
            let others: Vec<String> = self.others.iter().map(|p| shown(p)).collect();
            note += &format!(
                "; another one behind {} is not read (`entry:` chooses)",
                others.join(", ")
            );
        }
        if self.left_out > 0 {
            note += &match self.left_out {
                1 => "; one tensor elsewhere is not read".to_owned(),
                n => format!("; {n} tensors elsewhere are not read"),
            };
        }
        Some(note)
    }
}

/// A prefix as `entry:` takes it.
pub fn shown(prefix: &str) -> String {
    match prefix.trim_end_matches('.') {
        "" => "no prefix".to_owned(),
        prefix => format!("`{prefix}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: [&str; 3] = ["conv.bias", "conv.weight", "upsampler.0.weight"];

    fn shapes(names: impl Iterator<Item = String>) -> Shapes {
        names.map(|name| (name, vec![3])).collect()
    }

    fn file(prefixes: &[&str], more: &[&str]) -> Shapes {
        let behind = |prefix: &&str| NET.map(|name| format!("{prefix}{name}"));
        let more = more.iter().map(|name| (*name).to_owned());
        shapes(prefixes.iter().flat_map(behind).chain(more))
    }

    fn found(file: &Shapes, entry: Option<&str>) -> Result<Place, Lost> {
        let wanted = Wanted {
            shapes: shapes(NET.into_iter().map(str::to_owned)),
            rename: &str::to_owned,
            ignored: &|_| false,
            entry,
        };
        find(file, &wanted)
    }

    fn prefix(prefixes: &[&str]) -> String {
        found(&file(prefixes, &[]), None).unwrap().prefix
    }

    #[test]
    fn any_entry_and_any_prefix_is_taken_off() {
        for one in [
            "",
            "params-ema.",
            "model.",
            "_orig_mod.",
            "module.module.",
            "state_dict.model.net_g.",
            "a.b.c.d.generator.module._orig_mod.",
            "whatever it is.",
        ] {
            assert_eq!(prefix(&[one]), one);
        }
    }

    #[test]
    fn an_average_comes_first_and_then_the_documented_order() {
        assert_eq!(prefix(&["params.", "params_ema."]), "params_ema.");
        assert_eq!(
            prefix(&["model.", "model-ema.module."]),
            "model-ema.module."
        );
        assert_eq!(prefix(&["state_dict.", "EMA."]), "EMA.");
        assert_eq!(prefix(&["state_dict.", "params."]), "params.");
        assert_eq!(prefix(&["", "state_dict."]), "state_dict.");
        assert_eq!(prefix(&["whatever.", "model."]), "model.");
        // No word of it is `ema`.
        assert_eq!(prefix(&["cinema.", "model."]), "model.");
        let both = found(&file(&["a.", "b."], &[]), None);
        assert_eq!(
            both,
            Err(Lost::Ambiguous {
                prefixes: vec!["a.".into(), "b.".into()]
            })
        );
    }

    #[test]
    fn the_users_entry_decides() {
        let names = file(&["params.", "params_ema.module."], &[]);
        let place = |entry| found(&names, Some(entry)).unwrap().prefix;
        assert_eq!(place("params"), "params.");
        assert_eq!(place("params_ema"), "params_ema.module.");
        assert_eq!(place("params_ema.module"), "params_ema.module.");
        let none = found(&names, Some("param"));
        assert_eq!(
            none,
            Err(Lost::NoEntry {
                entries: vec!["params".into(), "params_ema".into()]
            })
        );
    }

    #[test]
    fn a_prefix_of_some_names_only_is_no_prefix() {
        let names = [
            "module.conv.bias",
            "module.conv.weight",
            "upsampler.0.weight",
        ];
        let lost = found(&file(&[], &names), None).unwrap_err();
        let scattered = "2 behind `module.`, 1 without a prefix";
        assert_eq!(
            lost,
            Lost::Incomplete {
                prefix: "module.".into(),
                scattered: Some(scattered.into())
            }
        );
    }

    #[test]
    fn of_two_networks_the_one_of_the_right_size_is_meant() {
        let mut two = file(&["params.", "x3."], &[]);
        two.insert("params.conv.bias".into(), vec![4]);
        assert_eq!(found(&two, None).unwrap().prefix, "x3.");
    }

    #[test]
    fn what_is_left_out_is_counted_and_said() {
        let place = found(&file(&["g_ema.", "g."], &["d.weight"]), None).unwrap();
        assert_eq!(
            place.note().unwrap(),
            "the network stands behind `g_ema`; another one behind `g` is not read (`entry:` chooses); 4 tensors \
             elsewhere are not read"
        );
        assert_eq!(found(&file(&[""], &[]), None).unwrap().note(), None);
    }
}
