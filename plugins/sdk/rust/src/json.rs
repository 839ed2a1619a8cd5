//! Values of the host's interfaces as JSON, for what is kept as a struct.

pub(crate) mod store {
    use serde::{Serialize, de::DeserializeOwned};

    use crate::{Error, store};

    /// A value that was kept with [`set_json`], or none.
    pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
        let Some(bytes) = store::get(key)? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes);
        value.map(Some).map_err(|error| Error::failed(format!("what is stored under {key:?} cannot be read: {error}")))
    }

    /// Keeps a value as JSON.
    pub fn set_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec(value).map_err(|error| Error::failed(format!("cannot write the value of {key:?} as JSON: {error}")))?;
        Ok(store::set(key, &bytes)?)
    }
}
