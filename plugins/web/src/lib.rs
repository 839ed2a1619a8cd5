//! The plugin `web`: reads one page of the web as text, from the hosts that the
//! operator granted. It sends GET requests without a body and keeps nothing.

use serde::Deserialize;
use wardian_plugin::{Data, Error, Tool, Traits};

use crate::{response::Answer, url::Url};

mod charset;
mod fetch;
mod html;
mod response;
mod url;

/// Without a wish, this many characters are returned.
const CHARS_DEFAULT: usize = 20_000;

/// The bounds of a wish. At its upper end the answer stays below the usual limit
/// of an answer in any alphabet.
const CHARS_MIN: usize = 100;
const CHARS_MAX: usize = 50_000;

/// The arguments of `web_get`.
#[derive(Debug, Deserialize)]
struct WebGet {
    url: String,
    #[serde(default)]
    max_chars: Option<usize>,
}

impl Tool for WebGet {
    const NAME: &str = "web_get";
    const DESCRIPTION: &str = "\
Opens a web page at a known address (URL) and returns it as readable text: title, headings, lists, code and links of \
an HTML page, or the text of a JSON, XML or plain text file. Use it to read, open, fetch, download or look at a \
website, link or page. It cannot search the web, log in, fill in forms or run scripts, and only reads hosts that the \
operator has allowed. A page that has moved is answered with its new address; fetch that one then.";
    const INPUT: &str = include_str!("../tools/web_get.input.json");
    const OUTPUT: Option<&str> = Some(include_str!("../tools/web_get.output.json"));
    const TRAITS: Traits = Traits::READ_ONLY.union(Traits::IDEMPOTENT);
    const ANNOTATIONS: Option<&str> = Some(include_str!("../tools/web_get.annotations.json"));
    type Answer = Data<Answer>;

    fn run(self) -> Result<Self::Answer, Error> {
        let url = Url::parse(&self.url)
            .map_err(|invalid| Error::invalid_input(format!("cannot read the address: {invalid}")).code("invalid_url"))?;
        let chars_max = self.max_chars.unwrap_or(CHARS_DEFAULT).clamp(CHARS_MIN, CHARS_MAX);
        fetch::get(&url)?.into_answer(&url, chars_max).map(Data)
    }
}

wardian_plugin::export!(WebGet);

#[cfg(test)]
mod tests {
    use wardian_plugin::Reason;

    use super::*;

    #[test]
    fn the_descriptor_is_valid_json() {
        let [tool] = <[_; 1]>::try_from(describe()).unwrap();
        for text in [Some(&tool.input), tool.output.as_ref(), tool.annotations.as_ref()] {
            let value: serde_json::Value = serde_json::from_str(text.unwrap()).unwrap();
            assert!(value.is_object());
        }
        assert!(tool.description.len() < 4096);
    }

    #[test]
    fn what_is_no_address_is_for_the_model_to_correct() {
        for url in ["example.com", "ftp://example.com", "https://a@b/"] {
            let error = invoke("web_get", &format!(r#"{{"url": "{url}"}}"#)).unwrap_err();
            assert_eq!((error.reason, error.code.as_deref()), (Reason::InvalidInput, Some("invalid_url")));
        }
    }
}
