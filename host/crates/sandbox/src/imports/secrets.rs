//! `secrets`: credentials that the operator lets a guest see. The usual way,
//! injection into requests, needs none of this.

use policy::{Secret, SecretRef, SecretUse};

use crate::bindings::wardian::plugin::secrets::{Denial, Host};
use crate::guest::Guest;
use crate::reach::Scope;

/// A secret's file longer than this is not a secret.
const FILE_BYTES_MAX: u64 = 64 << 10;

impl Host for Guest {
    fn reveal(&mut self, name: String) -> wasmtime::Result<Result<String, Denial>> {
        let Some(scope) = self.reach.as_ref().map(|reach| &reach.scope) else { return Ok(Err(Denial::Undeclared)) };
        let Some(permit) = scope.logged(scope.secret(&name, SecretUse::Reveal)) else {
            return Ok(Err(if injected(scope, &name) { Denial::Denied } else { Denial::Undeclared }));
        };
        Ok(match resolve(&permit.reference) {
            Ok(secret) => Ok(secret.expose().to_owned()),
            Err(error) => {
                tracing::warn!(plugin.id = scope.plugin(), "the secret {} of plugin {} has no value: {error}", permit.name, scope.plugin());
                Err(Denial::Missing)
            }
        })
    }

    fn ready(&mut self, name: String) -> wasmtime::Result<bool> {
        let Some(scope) = self.reach.as_ref().map(|reach| &reach.scope) else { return Ok(false) };
        let permit = [SecretUse::Reveal, SecretUse::Inject].into_iter().find_map(|usage| scope.secret(&name, usage).ok());
        Ok(permit.is_some_and(|permit| resolve(&permit.reference).is_ok()))
    }
}

/// Whether the name is known to the plugin, but only for injection.
fn injected(scope: &Scope, name: &str) -> bool {
    scope.secret(name, SecretUse::Inject).is_ok()
}

/// The value, from the environment or a small file. Read at each use, so that a rotated secret holds at once.
pub fn resolve(reference: &SecretRef) -> Result<Secret, policy::SecretError> {
    use std::io::Read;
    reference.resolve(
        |name| std::env::var(name).ok(),
        |path| {
            let mut text = String::new();
            // A pipe would be waited for.
            if !std::fs::metadata(path)?.is_file() {
                return Err(std::io::Error::other("it is not a regular file"));
            }
            std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
            Ok(text)
        },
    )
}
