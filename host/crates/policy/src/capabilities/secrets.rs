//! Secrets: named in `[secrets]`, injected by an http rule or revealed by
//! `[plugin.NAME.secrets]`.

use std::sync::Arc;

use crate::denied::{self, Denied};
use crate::grant::Granted;
use crate::secret::SecretRef;

/// What a secret is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretUse {
    /// The host puts it into a header of a matching request; the guest never sees it.
    Inject,
    /// The guest reads the value.
    Reveal,
}

/// Leave to use a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPermit {
    /// Its name.
    pub name: String,
    /// Where its value is.
    pub reference: Arc<SecretRef>,
    /// The line that allowed it.
    pub rule: String,
}

pub(crate) fn decide(granted: &Granted<'_>, name: &str, usage: SecretUse) -> Result<SecretPermit, Denied> {
    match usage {
        SecretUse::Reveal => reveal(granted, name),
        SecretUse::Inject => inject(granted, name),
    }
}

fn reveal(granted: &Granted<'_>, name: &str) -> Result<SecretPermit, Denied> {
    let (key, entry) = (denied::key(name), granted.entry.entry("secrets"));
    let Some((grant, reference)) = granted.all().find_map(|grant| Some((grant, grant.reveal.get(name)?))) else {
        let help = format!("add {key} = \"reveal\" to {entry} only if the guest must see the value");
        let toml = format!("[secrets.{key}]\nfrom = \"env:NAME\"\n\n{entry}\n{key} = \"reveal\"\n");
        return Err(granted.entry.not_granted(&format!("secret {name}"), help, toml));
    };
    let rule = grant.rule(format!("{entry} {key} = \"reveal\""));
    Ok(SecretPermit { name: name.to_owned(), reference: reference.clone(), rule })
}

fn inject(granted: &Granted<'_>, name: &str) -> Result<SecretPermit, Denied> {
    let mut injections = granted.all().flat_map(|grant| &grant.http).filter_map(|rule| rule.inject().map(|inject| (rule, inject)));
    let Some((rule, inject)) = injections.find(|(_, inject)| &*inject.secret == name) else {
        let (key, entry) = (denied::key(name), granted.entry.array("http"));
        let line = format!("inject = {{ secret = {}, header = \"authorization\", format = \"Bearer {{}}\" }}", denied::text(name));
        let toml = format!("[secrets.{key}]\nfrom = \"env:NAME\"\n\n{entry}\nhost = \"host.example\"\n{line}\n");
        let help = format!("add {line} to the {entry} entry whose requests need it");
        return Err(granted.entry.not_granted(&format!("injecting secret {name}"), help, toml));
    };
    Ok(SecretPermit { name: name.to_owned(), reference: inject.reference.clone(), rule: rule.text().to_owned() })
}
