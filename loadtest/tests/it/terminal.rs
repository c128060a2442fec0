//! The live view on a pseudo-terminal, read through a terminal emulator that wraps lines anew when
//! its width changes, as most terminals do.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use alacritty_terminal::event::{OnResize as _, VoidListener, WindowSize};
use alacritty_terminal::grid::Dimensions as _;
use alacritty_terminal::index::{Column, Point};
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::tty::{ChildEvent, EventedPty as _, Options, Pty, Shell};
use alacritty_terminal::vte::ansi::Processor;

use crate::fake::{Fake, Fault};

const ROWS: u16 = 40;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The load tester in a window whose width can change.
struct Window {
    pty: Pty,
    term: Term<VoidListener>,
    parser: Processor,
}

impl Window {
    /// Opens a window of this many columns that is full of lines, and runs the load tester in it. In
    /// an empty window an emulator that becomes narrower moves the upper rows of the block out of reach.
    fn open(columns: u16, arguments: &str) -> Self {
        let loadtest = env!("CARGO_BIN_EXE_loadtest");
        let script = format!("seq {ROWS}; echo a line from before; exec {loadtest} {arguments}");
        let options = Options {
            shell: Some(Shell::new("/bin/sh".to_owned(), vec!["-c".to_owned(), script])),
            env: [("DATABASE_URL", ""), ("TERM", "xterm-256color"), ("NO_COLOR", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Options::default()
        };
        let pty = alacritty_terminal::tty::new(&options, size(columns), 0).unwrap();
        let term_size = TermSize::new(columns.into(), ROWS.into());
        let term = Term::new(Config::default(), &term_size, VoidListener);
        Self { pty, term, parser: Processor::new() }
    }

    fn resize(&mut self, columns: u16) {
        self.pty.on_resize(size(columns));
        self.term.resize(TermSize::new(columns.into(), ROWS.into()));
    }

    /// Returns everything that the window shows and has shown, lines that wrap in one piece.
    fn text(&mut self) -> String {
        let mut bytes = [0; 4096];
        // EIO says that the program has ended.
        while let Ok(length @ 1..) = (&mut self.pty.file()).read(&mut bytes) {
            self.parser.advance(&mut self.term, &bytes[..length]);
        }
        let start = Point::new(self.term.topmost_line(), Column(0));
        let end = Point::new(self.term.bottommost_line(), self.term.last_column());
        self.term.bounds_to_string(start, end)
    }

    /// Waits until the window shows what is wanted, and returns its text.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = self.text();
            if wanted(&text) {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for two more drawings of the block and returns the text after them.
    fn redrawn(&mut self) -> String {
        for _ in 0..2 {
            let before = self.text();
            self.until(|text| text != before);
        }
        self.text()
    }
}

fn size(columns: u16) -> WindowSize {
    WindowSize { num_lines: ROWS, num_cols: columns, cell_width: 8, cell_height: 16 }
}

/// Checks that the block stands there once and in whole, below the line from before.
fn assert_one_block(text: &str) {
    for once in ["a line from before", "  now ", "  rate ", "  latency ", "  ballots ", "  Ctrl-C "]
    {
        assert_eq!(text.matches(once).count(), 1, "{once:?} in\n{text}");
    }
}

#[test]
fn the_live_view_survives_a_resize_and_keeps_its_word_about_ctrl_c() {
    let fake = Fake::with(Fault::None);
    let target = fake.url();
    let load = "--rate 100 --duration 60s --warm-up 0s --settle 1s";
    let mut window = Window::open(100, &format!("run --target {target} --results {target} {load}"));
    window.until(|text| text.contains("  Ctrl-C ") && text.contains(" sent "));
    assert_one_block(&window.redrawn());
    for columns in [30, 57, 24, 120] {
        window.resize(columns);
        assert_one_block(&window.redrawn());
    }
    let text = window.text();
    assert!(text.contains("Ctrl-C    ends the load early and still audits and reports"), "{text}");

    window.pty.file().write_all(b"\x03").unwrap();
    let text = window.until(|text| text.contains("(Ctrl-C again skips the wait)"));
    assert_one_block(&text);
    let text = window.until(|text| text.contains("OK: "));
    assert!(text.contains("a line from before"), "{text}");
    for gone in ["  now ", "  Ctrl-C "] {
        assert!(!text.contains(gone), "the block is cleared before the report: {text}");
    }
    let begun = Instant::now();
    loop {
        match window.pty.next_child_event() {
            Some(ChildEvent::Exited(status)) => {
                assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", window.text());
                return;
            }
            None => assert!(begun.elapsed() < PATIENCE, "{}", window.text()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
