//! The options of a poll as people write them: as arguments of a command, or as lines of a form.

use std::collections::HashSet;

use votestream_schema::poll::translations::Translations;
use votestream_schema::{PollOption, Slug};

/// The longest slug, in bytes.
const SLUG_BYTES_MAX: usize = 63;
/// The slug of a label without any letter or digit of ASCII.
const NAMELESS: &str = "option";

/// Reads arguments that are `slug=Label`, or a label alone.
///
/// A part before `=` that is no slug belongs to the label, as in `E=mc2`. Slugs that are made of labels never collide: the
/// second `c` is `c-2`. Slugs that were written are kept as they are; if two are the same, the model refuses them.
pub fn options(arguments: &[String]) -> Vec<PollOption> {
    let read: Vec<(Option<Slug>, &str)> = arguments.iter().map(|argument| read(argument)).collect();
    let mut taken: HashSet<String> =
        read.iter().filter_map(|(slug, _)| Some(slug.as_ref()?.as_str().to_owned())).collect();
    let options = read.into_iter().map(|(written, label)| {
        let slug = written.unwrap_or_else(|| free_slug(label, &taken));
        taken.insert(slug.as_str().to_owned());
        let (label, labels) = (label.to_owned(), Translations::default());
        PollOption { slug, label, labels, description: None, colour: None }
    });
    options.collect()
}

/// Splits an argument into slug and label.
fn read(argument: &str) -> (Option<Slug>, &str) {
    let written =
        argument.split_once('=').and_then(|(slug, label)| Some((slug.parse().ok()?, label)));
    written.map_or((None, argument), |(slug, label)| (Some(slug), label))
}

/// Makes a slug of a label that no other option has.
fn free_slug(label: &str, taken: &HashSet<String>) -> Slug {
    let made = slug_of(label);
    let numbered = (2..).map(|number| {
        let end = format!("-{number}");
        let start = cut(&made, SLUG_BYTES_MAX - end.len());
        format!("{start}{end}")
    });
    let mut candidates = std::iter::once(made.clone()).chain(numbered);
    let free =
        candidates.find(|slug| !taken.contains(slug)).expect("there is always a further number");
    free.parse().expect("letters, digits and inner hyphens are a slug")
}

/// Lower-case ASCII letters and digits of a label, with single hyphens between; [`NAMELESS`] if it has none.
fn slug_of(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    match cut(&slug, SLUG_BYTES_MAX) {
        "" => NAMELESS.to_owned(),
        slug => slug.to_owned(),
    }
}

/// The first bytes of a text of ASCII, without hyphens at their end.
fn cut(slug: &str, bytes_max: usize) -> &str {
    slug[..slug.len().min(bytes_max)].trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(arguments: &[&str]) -> Vec<(String, String)> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let options = options(&arguments).into_iter();
        options.map(|option| (option.slug.as_str().to_owned(), option.label)).collect()
    }

    #[test]
    fn an_option_has_a_slug_or_makes_one() {
        let check = |argument: &str, slug: &str, label: &str| {
            assert_eq!(read_all(&[argument]), [(slug.to_owned(), label.to_owned())], "{argument}");
        };
        check("cats=Cats", "cats", "Cats");
        check("cats=a=b", "cats", "a=b");
        check("Two  Big Dogs!", "two-big-dogs", "Two  Big Dogs!");
        check(&"ab ".repeat(40), ("ab-".repeat(21)).trim_end_matches('-'), &"ab ".repeat(40));
        // The part before `=` is no slug.
        check("E=mc2", "e-mc2", "E=mc2");
        check("=Cats", "cats", "=Cats");
        check("Cats=Cats", "cats-cats", "Cats=Cats");
        for nameless in ["", "寿司", "😀", "---"] {
            check(nameless, "option", nameless);
        }
    }

    #[test]
    fn labels_that_make_the_same_slug_get_numbers() {
        let slugs = |arguments: &[&str]| -> Vec<String> {
            read_all(arguments).into_iter().map(|(slug, _)| slug).collect()
        };
        assert_eq!(slugs(&["C", "C++", "C#"]), ["c", "c-2", "c-3"]);
        assert_eq!(slugs(&["😀", "寿司", "茶"]), ["option", "option-2", "option-3"]);
        assert_eq!(slugs(&["C++", "c=C"]), ["c-2", "c"], "what was written is kept");
        assert_eq!(slugs(&["C 2", "C", "C"]), ["c-2", "c", "c-3"]);
        let long = "a".repeat(80);
        let numbered = slugs(&[&long, &long]);
        assert_eq!(numbered[1], format!("{}-2", "a".repeat(61)));
        assert_eq!(slugs(&["a=1", "a=2"]), ["a", "a"], "the model refuses these");
    }
}
