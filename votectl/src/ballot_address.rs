//! The address of a ballot page, to which personal links lead.

use std::fmt;
use std::str::FromStr;

use url::Url;
use votestream_schema::code::Code;

/// The longest address: nobody types a longer one, and its QR code is hard to scan from a card.
const ADDRESS_BYTES_MAX: usize = 200;

/// The address of a ballot page. `Display` shows it as it was given, for people who type it.
#[derive(Clone, Debug)]
pub struct BallotAddress {
    url: Url,
    given: String,
}

impl BallotAddress {
    /// Returns the personal link of a code. The code is in the fragment, which browsers send to no server.
    pub fn link(&self, code: &Code) -> String {
        format!("{}#code={}", self.url, code.printed())
    }
}

impl fmt::Display for BallotAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

/// Why a text is not the address of a ballot page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// A text of another form.
    #[error("write the address of the ballot page, such as https://vote.example/polls/lunch")]
    NotAnAddress,
    /// A scheme that no ballot page has.
    #[error("the address has to begin with https:// or http://")]
    OtherScheme,
    /// The fragment is the place of the code.
    #[error("leave out `#` and the text behind it: the code goes there")]
    HasFragment,
    /// All voters would read the password.
    #[error("leave out the user name and password: every voter would get them")]
    HasLogin,
    /// Too much for a QR code on a card.
    #[error("an address may have {ADDRESS_BYTES_MAX} bytes at most")]
    TooLong,
}

impl FromStr for BallotAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let given = text.trim().to_owned();
        let url = Url::parse(&given).map_err(|_| InvalidAddress::NotAnAddress)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(InvalidAddress::OtherScheme);
        }
        if url.fragment().is_some() {
            return Err(InvalidAddress::HasFragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidAddress::HasLogin);
        }
        if url.as_str().len().max(given.len()) > ADDRESS_BYTES_MAX {
            return Err(InvalidAddress::TooLong);
        }
        Ok(Self { url, given })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_carries_the_code_in_its_fragment() {
        let code = Code::parse("0123-4567-89AB-CDEF").unwrap();
        let cases = [
            ("https://vote.example/polls/pets", "https://vote.example/polls/pets"),
            ("http://localhost:8080", "http://localhost:8080/"),
            (" https://vote.example/?a=b ", "https://vote.example/?a=b"),
            ("https://wähle.example/ü", "https://xn--whle-loa.example/%C3%BC"),
        ];
        for (given, link) in cases {
            let address: BallotAddress = given.parse().unwrap();
            let link = format!("{link}#code=0123-4567-89AB-CDEF");
            assert_eq!(address.link(&code), link);
            assert_eq!(Code::parse(&link), Some(code.clone()), "the link is read as its code");
            assert_eq!(address.to_string(), given.trim());
        }
    }

    #[test]
    fn an_address_that_no_voter_could_use_is_refused() {
        let long = format!("https://vote.example/{}", "x".repeat(180));
        let cases = [
            ("vote.example/polls/pets", InvalidAddress::NotAnAddress),
            ("", InvalidAddress::NotAnAddress),
            ("https://", InvalidAddress::NotAnAddress),
            ("ftp://vote.example/", InvalidAddress::OtherScheme),
            ("javascript:alert(1)", InvalidAddress::OtherScheme),
            ("https://vote.example/#top", InvalidAddress::HasFragment),
            ("https://vote.example/#", InvalidAddress::HasFragment),
            ("https://me:secret@vote.example/", InvalidAddress::HasLogin),
            (&long, InvalidAddress::TooLong),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<BallotAddress>().unwrap_err(), why, "{text}");
        }
    }
}
