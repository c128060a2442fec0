//! QR codes as SVG.

use qrcode::{Color, EcLevel, QrCode};

/// A QR code as a path of SVG, one unit to a module. Readers need a light border of four modules around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrPicture {
    /// The modules of a side.
    pub side: usize,
    /// A rectangle for each run of dark modules in a row.
    pub path: String,
}

impl QrPicture {
    /// Draws a text that people read from afar; `None` if it is longer than 2,331 bytes.
    pub fn of(text: &str) -> Option<Self> {
        Self::with_correction(text, EcLevel::M)
    }

    /// Draws a long text with as few modules as possible, for a reader close by; `None` if it is longer than 2,953 bytes.
    pub fn dense(text: &str) -> Option<Self> {
        Self::with_correction(text, EcLevel::L)
    }

    fn with_correction(text: &str, correction: EcLevel) -> Option<Self> {
        let qr = QrCode::with_error_correction_level(text, correction).ok()?;
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
        Some(Self { side, path })
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
    fn the_picture_is_read_as_the_text() {
        for text in ["https://vote.example/v/KHDP", &"x".repeat(250)] {
            assert_eq!(scanned(&QrPicture::of(text).unwrap()), text);
        }
        assert_eq!(QrPicture::of(&"x".repeat(2_400)), None);
        // As long as a receipt with nine hashes, in the address of a page.
        let receipt = "https://results.example/polls/pets/receipt#eyJ2".repeat(40);
        assert_eq!(scanned(&QrPicture::dense(&receipt).unwrap()), receipt);
    }
}
