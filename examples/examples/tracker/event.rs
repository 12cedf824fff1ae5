//! Events, as clients send them and as they are stored.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// An event as a client sends it: `{"kind": "page.viewed", "data": {..}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEvent {
    pub(crate) kind: Kind,
    /// Any JSON. It is stored verbatim.
    #[serde(default)]
    pub(crate) data: Box<RawValue>,
}

/// What happened, in a short text fit for an index.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Kind(String);

impl Kind {
    const LONGEST: usize = 64;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(kind: String) -> Result<Self, String> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if kind.is_empty() || kind.len() > Self::LONGEST || !kind.bytes().all(known) {
            let longest = Self::LONGEST;
            return Err(format!("`kind` must be 1 to {longest} of the characters a-z, 0-9, `.`, `_` and `-`"));
        }
        Ok(Kind(kind))
    }
}

/// An accepted event.
pub(crate) struct Event {
    /// UUID version 7: the ids of one process increase.
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) data: Box<RawValue>,
}

/// An event in the database.
#[derive(Serialize)]
pub(crate) struct StoredEvent {
    /// Its position in the order of commits.
    pub(crate) position: i64,
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) data: Box<RawValue>,
}
