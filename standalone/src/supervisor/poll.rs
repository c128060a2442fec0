//! The default poll, whose slug and title follow from the labels of its two options.

use sha2::{Digest, Sha256};

/// The longest slug of an option in bytes: two of them with `-a`, `-b` and `-vs-` fit into a poll's slug of 63 bytes.
const SLUG_BYTES_MAX: usize = 27;

/// The default poll. The options of a poll cannot change once somebody has voted, so other labels give another poll.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DefaultPoll {
    pub(super) slug: String,
    pub(super) title: String,
    /// The options as `slug=label`, as `votectl poll create --option` takes them.
    pub(super) options: [String; 2],
}

impl DefaultPoll {
    pub(super) fn new(label_a: &str, label_b: &str) -> Self {
        let (mut a, mut b) = (slug(label_a), slug(label_b));
        if a == b {
            a.push_str("-a");
            b.push_str("-b");
        }
        Self {
            slug: format!("{a}-vs-{b}"),
            title: format!("{label_a} vs {label_b}"),
            options: [format!("{a}={label_a}"), format!("{b}={label_b}")],
        }
    }
}

/// Returns a slug for a label: lower-case ASCII letters, digits and single hyphens, or a hash if the label has no ASCII
/// letters and digits.
fn slug(label: &str) -> String {
    let mut slug = String::new();
    for letter in label.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == SLUG_BYTES_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if !slug.is_empty() {
        return slug.to_owned();
    }
    let digest = Sha256::digest(label.as_bytes());
    digest.iter().take(4).fold("option-".to_owned(), |slug, byte| format!("{slug}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_labels_make_the_shipped_poll() {
        let poll = DefaultPoll::new("Cats", "Dogs");
        assert_eq!(poll.slug, "cats-vs-dogs");
        assert_eq!(poll.title, "Cats vs Dogs");
        assert_eq!(poll.options, ["cats=Cats", "dogs=Dogs"]);
    }

    #[test]
    fn any_labels_make_distinct_valid_slugs() {
        let long = "A label that goes on and on, and then some more";
        let labels = ["C++", "C#", "Tea & cake!", "茶", "コーヒー", "  ", "-", "É", long];
        for a in labels {
            for b in labels {
                let poll = DefaultPoll::new(a, b);
                let slugs = poll.options.map(|option| option.split_once('=').unwrap().0.to_owned());
                assert_ne!(slugs[0], slugs[1]);
                for slug in [&slugs[0], &slugs[1], &poll.slug] {
                    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                    assert!(slug.len() <= 63 && slug.chars().all(valid), "{slug}");
                    assert!(!slug.starts_with('-') && !slug.ends_with('-'), "{slug}");
                }
            }
        }
    }
}
