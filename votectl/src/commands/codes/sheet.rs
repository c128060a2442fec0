//! The printable sheet: cards with a QR code, several to a page, in one HTML file that loads nothing.

use askama::Template;
use votestream_schema::code::Code;
use votestream_service::page::QrPicture;
use votestream_votectl::BallotAddress;
use votestream_votectl::operations::codes::Issued;

/// The most codes of a sheet: 1,250 printed pages, and a file of 40 MB.
pub const CODES_MAX: u32 = 10_000;
/// Two columns of four cards, which fit on A4 and on US Letter.
const CARDS_PER_PAGE: usize = 8;
/// A title or an address of more characters is set smaller.
const SHORT_CHARS_MAX: usize = 60;

/// The sheet of a poll. Cards are rendered one by one while the sheet is written.
#[derive(Template)]
#[template(path = "sheet.html")]
pub struct Sheet<'a> {
    title: &'a str,
    title_is_long: bool,
    /// The address in parts, between which a line may break.
    address: Vec<String>,
    address_is_long: bool,
    number: usize,
    link: &'a BallotAddress,
    codes: &'a [Code],
}

struct Card {
    code: String,
    qr: QrPicture,
}

impl<'a> Sheet<'a> {
    /// The sheet of these codes.
    pub fn new(issued: &'a Issued, link: &'a BallotAddress) -> Self {
        let title = &issued.poll.title;
        let address = link.to_string();
        Self {
            title,
            title_is_long: is_long(title),
            address: address
                .split_inclusive(['/', '?', '&', '=', '-'])
                .map(str::to_owned)
                .collect(),
            address_is_long: is_long(&address),
            number: issued.codes.len(),
            link,
            codes: &issued.codes,
        }
    }

    fn pages(&self) -> impl Iterator<Item = impl Iterator<Item = Card>> {
        self.codes.chunks(CARDS_PER_PAGE).map(|codes| codes.iter().map(|code| self.card(code)))
    }

    fn card(&self, code: &Code) -> Card {
        // The address of a ballot is much shorter than the longest text of a QR code.
        let qr = QrPicture::of(&self.link.link(code)).expect("a link fits");
        Card { code: code.printed(), qr }
    }
}

fn is_long(text: &str) -> bool {
    text.chars().count() > SHORT_CHARS_MAX
}
