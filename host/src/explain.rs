//! Answers why something is allowed or not: the policy's own decision, with the
//! place of its line and what only the host knows.

use policy::{Policy, Question, SecretUse, Who};
use sandbox::Sandbox;
use tool::{Caller, PluginState, ToolId, Toolbox};

use api::{Answered, Ask};

use crate::config::Settings;

/// The answer by a policy; `sandbox` is there where plugins were looked at.
pub(crate) fn answer(ask: &Ask, policy: &Policy, settings: &Settings, sandbox: Option<&Sandbox>) -> Answered {
    let Ask { plugin, tenant, agent, question } = ask;
    let installed = sandbox.and_then(|sandbox| sandbox.plugins().into_iter().find(|it| it.name == *plugin));
    let digest = installed.as_ref().and_then(|it| it.component.clone());
    let who = Who { plugin, digest: digest.as_deref(), tenant, agent };
    let mut explanation = policy.explain(&who, question);
    if sandbox.is_some() && installed.is_none() {
        explanation.notes.push(format!("there is no plugin {plugin} in the plugin directory"));
    }
    if installed.is_some_and(|it| it.state == PluginState::Preparing) {
        explanation
            .notes
            .push(format!("plugin {plugin} is still being prepared; what came with the server for its bytes is not counted yet"));
    }
    match question {
        Question::Call { tool } if explanation.allowed => {
            let caller = Caller { tenant: tenant.as_str().into(), agent: agent.as_str().into() };
            let id = ToolId { plugin: plugin.clone(), name: tool.clone() };
            explanation.notes.extend(sandbox.map(|sandbox| promises(sandbox, &caller, &id)));
        }
        Question::Secret { name, usage: SecretUse::Reveal | SecretUse::Inject } => {
            let reference = policy.secrets().find(|(known, _)| known == name).map(|(_, reference)| reference);
            let missing = reference.and_then(|reference| sandbox::secret(reference).err());
            explanation.notes.extend(missing.map(|error| format!("it has no value now: {error}")));
        }
        Question::Call { .. } | Question::Http { .. } | Question::File { .. } | Question::Config | Question::Store | Question::Cache => {}
    }
    let place = explanation.key.as_deref().and_then(|key| place(key, &who, policy, settings));
    Answered { plugin: plugin.clone(), tenant: tenant.clone(), agent: agent.clone(), place, explanation }
}

/// What the tool promises, as far as the grants bear it out.
fn promises(sandbox: &Sandbox, caller: &Caller, id: &ToolId) -> String {
    let Some(spec) = sandbox.find(caller, id) else { return format!("no tool {id} is in service") };
    let traits = spec.traits;
    let named = [
        (traits.read_only, "read-only"),
        (traits.idempotent, "idempotent"),
        (traits.additive, "additive"),
        (traits.closed_world, "closed-world"),
    ];
    let held: Vec<&str> = named.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    let held = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
    format!("with what is granted, {id} counts as: {held}")
}

/// Where a rule stands.
fn place(key: &str, who: &Who<'_>, policy: &Policy, settings: &Settings) -> Option<String> {
    if key.starts_with("lease ") {
        return Some(key.to_owned());
    }
    if policy.named().any(|name| name == who.plugin) {
        return settings.place_of(key);
    }
    let shipped = policy.plugin(who.plugin, who.digest).is_some_and(|grant| grant.builtin);
    Some(if shipped { "the grant that came with the server".to_owned() } else { "what holds for every plugin without an entry".to_owned() })
}
