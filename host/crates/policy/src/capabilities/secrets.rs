//! Secrets: named in `[secrets]`, injected by an http rule or revealed by
//! `[plugin.NAME.secrets]`.

use std::sync::Arc;

use crate::denied::{self, Denied};
use crate::grant::Grant;
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

pub(crate) fn decide(grant: &Grant, name: &str, usage: SecretUse) -> Result<SecretPermit, Denied> {
    match usage {
        SecretUse::Reveal => reveal(grant, name),
        SecretUse::Inject => inject(grant, name),
    }
}

fn reveal(grant: &Grant, name: &str) -> Result<SecretPermit, Denied> {
    let (key, entry) = (denied::key(name), grant.entry("secrets"));
    let Some(reference) = grant.reveal.get(name) else {
        let help = format!("add {key} = \"reveal\" to {entry} only if the guest must see the value");
        let toml = format!("[secrets.{key}]\nfrom = \"env:NAME\"\n\n{entry}\n{key} = \"reveal\"\n");
        return Err(grant.not_granted(&format!("secret {name}"), help, toml));
    };
    Ok(SecretPermit { name: name.to_owned(), reference: reference.clone(), rule: format!("{entry} {key} = \"reveal\"") })
}

fn inject(grant: &Grant, name: &str) -> Result<SecretPermit, Denied> {
    let mut injections = grant.http.iter().filter_map(|rule| rule.inject().map(|inject| (rule, inject)));
    let Some((rule, inject)) = injections.find(|(_, inject)| &*inject.secret == name) else {
        let (key, entry) = (denied::key(name), grant.array("http"));
        let line = format!("inject = {{ secret = {}, header = \"authorization\", format = \"Bearer {{}}\" }}", denied::text(name));
        let toml = format!("[secrets.{key}]\nfrom = \"env:NAME\"\n\n{entry}\nhost = \"host.example\"\n{line}\n");
        let help = format!("add {line} to the {entry} entry whose requests need it");
        return Err(grant.not_granted(&format!("injecting secret {name}"), help, toml));
    };
    Ok(SecretPermit { name: name.to_owned(), reference: inject.reference.clone(), rule: rule.text().to_owned() })
}
