//! The plugin `knowledge`: full-text search over a folder of Markdown files that
//! the operator granted, for questions that a product's documentation answers.
//! It never writes to the folder, and reads nothing outside it.

use serde::Deserialize;
use wardian_plugin::{Data, Error, Tool, Traits};

use crate::search::Found;

pub mod search;

mod files;
mod folder;
mod hash;
mod index;
mod markdown;
mod stem;
mod words;

/// Without a wish, this many passages are returned.
const RESULTS_DEFAULT: usize = 5;

/// Twenty passages of full length stay well below the usual limit of an answer.
const RESULTS_MAX: usize = 20;

/// A query as long as this is a text, not a question.
const QUERY_CHARS_MAX: usize = 1_000;

/// The arguments of `knowledge_base_search`.
#[derive(Debug, Deserialize)]
struct KnowledgeBaseSearch {
    query: String,
    #[serde(default)]
    max_results: Option<usize>,
}

impl Tool for KnowledgeBaseSearch {
    const NAME: &str = "knowledge_base_search";
    const DESCRIPTION: &str = "\
Searches the knowledge base: help and support articles, product questions and answers, guides to installation and \
setup, troubleshooting of problems, warranty, returns, shipping and compatibility. Use it first whenever someone asks \
for help with a product, has trouble or an issue, or asks how something works. Give the words that matter, for \
example \"widget installation troubleshooting\". Answers with the passages that fit best, each with its title and \
file; an empty list means that the knowledge base says nothing about it.";
    const INPUT: &str = include_str!("../tools/knowledge_base_search.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/knowledge_base_search.output.json"));
    const TRAITS: Traits = Traits::READ_ONLY.union(Traits::IDEMPOTENT).union(Traits::CLOSED_WORLD);
    const ANNOTATIONS: Option<&str> = Some(include_str!("../tools/knowledge_base_search.annotations.json"));
    type Answer = Data<Found>;

    fn run(self) -> Result<Self::Answer, Error> {
        if self.query.chars().count() > QUERY_CHARS_MAX {
            return Err(Error::invalid_input(format!("the query is longer than {QUERY_CHARS_MAX} characters; give the words that matter")));
        }
        let results_max = self.max_results.unwrap_or(RESULTS_DEFAULT).clamp(1, RESULTS_MAX);
        search::search(&search::granted_root()?, &self.query, results_max).map(Data)
    }
}

wardian_plugin::export!(KnowledgeBaseSearch);

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
        process,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    /// A folder of files that lasts as long as a test.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn with(files: &[(&str, &str)]) -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let folder = Self(std::env::temp_dir().join(format!("knowledge-{}-{number}", process::id())));
            fs::create_dir_all(&folder.0).unwrap();
            files.iter().for_each(|(path, text)| folder.write(path, text));
            folder
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        pub(crate) fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        pub(crate) fn remove(&self, path: &str) {
            fs::remove_file(self.0.join(path)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn base(query: &str) -> Vec<search::Passage> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("base");
        search::search(&root, query, RESULTS_DEFAULT).unwrap().results
    }

    #[test]
    fn trouble_with_an_installation_leads_to_the_guide() {
        for query in ["I'm having trouble with my widget installation.", "widget installation troubleshooting"] {
            let results = base(query);
            assert_eq!(results[0].title, "Widget Installation Guide", "{query}");
            assert!(
                results[0].content.starts_with("Common troubleshooting steps for widget installation issues."),
                "{}",
                results[0].content
            );
        }
    }

    #[test]
    fn each_article_of_the_base_is_found_by_an_ordinary_question() {
        for (query, path) in [
            ("How long is the warranty?", "warranty.md"),
            ("I want to send my widget back and get a refund", "returns.md"),
            ("when will my order be delivered", "shipping.md"),
            ("how do I clean the widget", "care.md"),
            ("does it work with my old hub and phone?", "compatibility.md"),
            ("the status light blinks red", "installation.md"),
        ] {
            assert_eq!(base(query)[0].path, path, "{query}");
        }
    }

    #[test]
    fn the_descriptor_is_valid_json_and_names_what_users_ask_for() {
        let [tool] = <[_; 1]>::try_from(describe()).unwrap();
        for text in [Some(&tool.input), tool.output.as_ref(), tool.annotations.as_ref()] {
            let value: serde_json::Value = serde_json::from_str(text.unwrap()).unwrap();
            assert!(value.is_object());
        }
        assert!(tool.description.len() < 4096);
        for word in ["help", "support", "troubleshooting", "product", "question", "installation", "knowledge base"] {
            assert!(tool.description.contains(word), "{word}");
        }
    }

    #[test]
    fn a_query_that_is_too_long_is_refused() {
        let input = format!(r#"{{"query": "{}"}}"#, "a ".repeat(QUERY_CHARS_MAX));
        let error = invoke("knowledge_base_search", &input).unwrap_err();
        assert_eq!(error.reason, wardian_plugin::Reason::InvalidInput);
    }
}
