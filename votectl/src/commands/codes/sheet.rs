//! The printable sheet: cards with a QR code, several to a page, in one HTML file that loads nothing.

use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use votestream_schema::code::Code;
use votestream_votectl::operations::codes::Issued;

use super::address::BallotAddress;

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
        Card { code: code.printed(), qr: QrPicture::of(&self.link.link(code)) }
    }
}

fn is_long(text: &str) -> bool {
    text.chars().count() > SHORT_CHARS_MAX
}

/// A QR code as a path of SVG, one unit to a module.
struct QrPicture {
    /// The modules of a side.
    side: usize,
    /// A rectangle for each run of dark modules in a row.
    path: String,
}

impl QrPicture {
    /// # Panics
    /// Panics if the text is longer than 2,331 bytes. The address of a ballot is much shorter.
    fn of(text: &str) -> Self {
        let qr = QrCode::with_error_correction_level(text, EcLevel::M).expect("a link fits");
        let (side, colours) = (qr.width(), qr.to_colors());
        let mut path = String::new();
        for (y, row) in colours.chunks(side).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(Color::eq) {
                if run[0] == Color::Dark {
                    path += &format!("M{x} {y}h{0}v1h-{0}z", run.len());
                }
                x += run.len();
            }
        }
        Self { side, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that a telephone reads from the picture.
    fn scanned(picture: &QrPicture) -> String {
        const PIXELS: usize = 4;
        const QUIET: usize = 4;
        let mut dark = vec![vec![false; picture.side]; picture.side];
        for run in picture.path.split('M').skip(1) {
            let (x, rest) = run.split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (length, _) = rest.split_once('v').unwrap();
            let [x, y, length] = [x, y, length].map(|number| number.parse::<usize>().unwrap());
            dark[y][x..x + length].fill(true);
        }
        let side = (picture.side + 2 * QUIET) * PIXELS;
        let module = |at: usize| (at / PIXELS).checked_sub(QUIET).filter(|at| *at < picture.side);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            let is_dark = module(x).zip(module(y)).is_some_and(|(x, y)| dark[y][x]);
            if is_dark { 0 } else { 255 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn the_picture_is_read_as_the_link() {
        let code = Code::generate();
        for path in ["", &"x".repeat(170)] {
            let address: BallotAddress = format!("https://vote.example/{path}").parse().unwrap();
            let link = address.link(&code);
            assert_eq!(scanned(&QrPicture::of(&link)), link);
        }
    }
}
