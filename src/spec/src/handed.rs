//! Variables of the caller's environment that a command gets by name: `pass_env:` and `secrets:`.
//! Unaware of how they are handed on. Their values are in no debug output.

use std::collections::BTreeMap;
use std::fmt;

use crate::kinds::Command;
use crate::substitute::Environment;

/// Names and values; of a secret that is not set, the name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// Of `pass_env:`: their digests are in the key. One that is not set is not there.
    pub pass: BTreeMap<String, String>,
    /// Of `secrets:`: in no key, and masked where the command prints them.
    pub secrets: BTreeMap<String, Option<String>>,
}

impl Handed {
    pub(crate) fn of(command: &Command, env: &Environment) -> Self {
        let free = |name: &&String| !command.env.contains_key(*name);
        let pass = command.pass_env.iter().filter(free);
        let secrets = command.secrets.iter();
        Self {
            pass: pass
                .filter_map(|name| Some((name.clone(), env.get(name)?.clone())))
                .collect(),
            secrets: secrets
                .map(|name| {
                    let value = env.get(name).filter(|value| !value.is_empty());
                    (name.clone(), value.cloned())
                })
                .collect(),
        }
    }

    /// The secrets that are not set.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let missing = self.secrets.iter().filter(|(_, value)| value.is_none());
        missing.map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed")
            .field("pass", &self.pass.keys())
            .field("secrets", &self.secrets.keys())
            .finish()
    }
}
