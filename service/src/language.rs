//! The languages of all pages and problems: which one a visitor reads, and the catalogue of sentences (`service/locales`).
//!
//! Invariant: a sentence that a visitor reads stands in the catalogue, in every language, with the same variables. Explanations
//! at `/problems/{name}`, details that quote a program's malformed request, logs and operators' tools are in English alone.
//! Absent on purpose: titles, labels and descriptions of polls, which are in the language of their author.

mod catalogue;
mod message;
mod numbers;
mod script;
mod tag;
mod words;

pub use message::{Argument, Message};
pub(crate) use script::scripts;
pub use tag::Language;
pub use words::Words;
