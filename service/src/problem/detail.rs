//! The sentence on one occurrence of a problem.

use std::borrow::Cow;

use crate::language::{Message, Words};

/// Cause and remedy of one occurrence: the rest of a sentence, which begins in lower case and has no full stop.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// A sentence of the catalogue.
    Message(Message),
    /// English for the author of a program, for example on the syntax of a request.
    Text(Cow<'static, str>),
}

impl Detail {
    /// Returns the sentence in a language; text for a program's author is always in English.
    pub fn text(&self, words: Words) -> Cow<'_, str> {
        match self {
            Self::Message(message) => words.say(message),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}

impl From<Message> for Detail {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&'static str> for Detail {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}
