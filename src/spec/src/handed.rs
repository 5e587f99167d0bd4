//! Variables of the caller's environment that a command gets by name: `pass_env:` and `secrets:`.
//! Unaware of how they are handed on. Their values are in no debug output.

use std::collections::BTreeMap;
use std::fmt;

use crate::kinds::Command;
use crate::substitute::{Environment, NOT_UTF8};

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

    /// The field and the name of a variable whose value cannot be handed on, since it is not UTF-8.
    pub(crate) fn unreadable(command: &Command, env: &Environment) -> Option<(String, String)> {
        let pass = command.pass_env.iter().enumerate();
        let pass = pass.filter(|(_, name)| !command.env.contains_key(*name));
        let pass = pass.map(|(n, name)| (format!("pass_env.{n}"), name));
        let secrets = command.secrets.iter().enumerate();
        let secrets = secrets.map(|(n, name)| (format!("secrets.{n}"), name));
        let mut asked = pass.chain(secrets);
        let is_unreadable = |name: &String| env.get(name).is_some_and(|value| value == NOT_UTF8);
        let (field, name) = asked.find(|(_, name)| is_unreadable(name))?;
        Some((field, name.clone()))
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
