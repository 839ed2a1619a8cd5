//! Which bound tool a plain question clearly means, if any.

use serde_json::{Map, Value};
use tool::ToolSpec;

use super::arguments::{Schema, from_question};
use super::{arithmetic, words};
use crate::prompt::ToolList;

/// What a word of the question counts where it stands in a tool's name, title, description or arguments.
const WEIGHTS: [f64; 4] = [3.0, 2.0, 1.0, 0.5];

/// Below this a match is chance. A name counts 3, so one telling name is enough, and so are two words of a description.
const CLEAR: f64 = 2.0;

/// What arithmetic in the question counts for a tool that takes an expression, and an address for one that takes a URL.
const FORM: f64 = 6.0;

/// A tool and what to call it with.
pub(super) struct Choice<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Map<String, Value>,
    searches: bool,
    subject: String,
}

impl Choice<'_> {
    /// What it thinks while it decides so.
    pub(super) fn thinking(&self) -> String {
        let subject = if self.subject.is_empty() { "something that a tool can answer" } else { &self.subject };
        match self.searches {
            true => format!("The user is asking about {subject}. I should search with {}, which fits best.", self.name),
            false => format!("The user is asking about {subject}. I should use {}, which fits best.", self.name),
        }
    }
}

struct Candidate<'a> {
    choice: Choice<'a>,
    /// All its names as they are written.
    names: String,
    /// The stems of name, title, description and arguments.
    places: [std::collections::BTreeSet<String>; 4],
    form: f64,
}

/// The best clear match; or, for any question with substance, a tool that searches by a query alone.
pub(super) fn choose<'a>(question: &str, tools: &'a ToolList) -> Option<Choice<'a>> {
    let telling = words::telling(question);
    let mut candidates: Vec<Candidate<'a>> = tools.iter().filter_map(|(name, spec)| candidate(question, name, spec)).collect();
    let scores: Vec<f64> = candidates.iter().map(|candidate| score(&telling, candidate, &candidates)).collect();
    let best = (0..candidates.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)));
    if let Some(best) = best.filter(|best| scores[*best] >= CLEAR) {
        return Some(candidates.swap_remove(best).choice);
    }
    let search = candidates.iter().position(|candidate| candidate.choice.searches && !telling.is_empty())?;
    Some(candidates.swap_remove(search).choice)
}

fn candidate<'a>(question: &str, name: &'a str, spec: &ToolSpec) -> Option<Candidate<'a>> {
    let schema = Schema::read(&spec.input);
    let arguments = from_question(question, &schema)?;
    let mut of_arguments = String::new();
    for (name, property) in &schema.properties {
        of_arguments.push_str(&format!(" {name} {}", property["description"].as_str().unwrap_or_default()));
    }
    let names = format!("{name} {} {}", spec.id.plugin, spec.id.name).to_lowercase();
    let texts = [names.as_str(), spec.title.as_deref().unwrap_or_default(), &spec.description, &of_arguments];
    let places = texts.map(words::stems);
    let searches = arguments.contains_key("query") && places.iter().take(3).any(|place| place.contains("search"));
    let form = match arithmetic::expression(question).is_some() && arguments.contains_key("expression") || arguments.contains_key("url") {
        true => FORM,
        false => 0.0,
    };
    let subject = words::search_words(question);
    Some(Candidate { choice: Choice { name, arguments, searches, subject }, names, places, form })
}

/// How well a tool fits: a word counts once, where it counts most, and less the more tools know it.
fn score(telling: &[words::Word], candidate: &Candidate<'_>, all: &[Candidate<'_>]) -> f64 {
    let of_word = |word: &words::Word| {
        let known_by = all.iter().filter(|other| weight(word, other) > 0.0).count().max(1);
        weight(word, candidate) / (known_by as f64).sqrt()
    };
    candidate.form + telling.iter().map(of_word).sum::<f64>()
}

fn weight(word: &words::Word, candidate: &Candidate<'_>) -> f64 {
    // Names are often two words grown together: `datetime` is about time.
    if word.stem.len() >= 4 && candidate.names.contains(&word.stem) {
        return WEIGHTS[0];
    }
    candidate.places.iter().zip(WEIGHTS).find(|(place, _)| place.contains(&word.stem)).map_or(0.0, |(_, weight)| weight)
}
