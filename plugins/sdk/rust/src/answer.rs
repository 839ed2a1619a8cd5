//! What a tool may answer with.

use serde::Serialize;

use crate::{Content, Error};

/// Something that can be handed to the caller as the parts of an answer.
pub trait Answer {
    /// The parts, in order.
    fn into_parts(self) -> Result<Vec<Content>, Error>;
}

/// One JSON value: the usual answer, checked by the host against [`Tool::OUTPUT`](crate::Tool::OUTPUT).
#[derive(Debug, Clone, PartialEq)]
pub struct Data<T>(pub T);

impl<T: Serialize> Answer for Data<T> {
    fn into_parts(self) -> Result<Vec<Content>, Error> {
        let text = serde_json::to_string(&self.0).map_err(|error| Error::failed(format!("cannot write the answer as JSON: {error}")))?;
        Ok(vec![Content::Data(text)])
    }
}

/// Text for the model to read.
impl Answer for String {
    fn into_parts(self) -> Result<Vec<Content>, Error> {
        Ok(vec![Content::Text(self)])
    }
}

/// Parts of any kind: texts, values and files together.
impl Answer for Vec<Content> {
    fn into_parts(self) -> Result<Vec<Content>, Error> {
        Ok(self)
    }
}
