//! Draws the standing result of a poll as PNG, once for everybody.
//!
//! Drawing costs tens of milliseconds, so one picture is drawn at a time, and while votes come in, the picture of a poll is
//! at most one in five seconds. What visibility demands is never late: a picture from before results were hidden, or from
//! before an edit, is not shown again.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use moka::future::Cache;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};
use tokio::sync::Mutex;
use tokio::time::Instant;
use votestream_schema::{PollId, PollState};

use crate::pages::ResultsPage;
use crate::pages::picture::{Picture, SIZE};
use crate::snapshot::Snapshot;

/// Pictures kept at once, of some 40 KB each.
const KEPT_MAX: u64 = 200;
/// The least age of a picture before new votes alone make another one.
const REDRAW_AFTER: Duration = Duration::from_secs(5);

static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    let font: &[u8] = include_bytes!("../assets/DejaVuSansCondensed-Bold.ttf");
    fonts.load_font_source(Source::Binary(Arc::new(font)));
    Options { fontdb: Arc::new(fonts), ..Options::default() }
});

/// Everything but votes that decides what a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    revision: i32,
    state: PollState,
    is_final: bool,
    visible: bool,
}

/// A picture, and what it shows.
#[derive(Clone, Debug)]
struct Drawn {
    look: Look,
    /// The version of the tally; 0 while results are hidden.
    version: i64,
    at: Instant,
    png: Bytes,
}

impl Drawn {
    fn shows(&self, look: Look, version: i64) -> bool {
        let is_young = self.at.elapsed() < REDRAW_AFTER;
        self.look == look && (self.version == version || is_young)
    }
}

/// The newest picture of each poll.
#[derive(Debug)]
pub(crate) struct Pictures {
    drawn: Cache<PollId, Drawn>,
    /// Held while a picture is drawn.
    turn: Mutex<()>,
}

impl Pictures {
    /// Creates an empty collection.
    pub(crate) fn new() -> Self {
        Self { drawn: Cache::new(KEPT_MAX), turn: Mutex::default() }
    }

    /// Returns the picture of this poll as it stands, and draws it if necessary; `results` makes the page whose figures it
    /// shows. Returns `None` if it cannot be drawn.
    pub(crate) async fn get(
        &self,
        snapshot: &Snapshot,
        results: impl FnOnce() -> ResultsPage,
    ) -> Option<Bytes> {
        let Snapshot { poll, state, is_final, visible, .. } = snapshot;
        let look =
            Look { revision: poll.revision, state: *state, is_final: *is_final, visible: *visible };
        let version = if *visible { snapshot.tally.version } else { 0 };
        let known = async || self.drawn.get(&poll.id).await.filter(|it| it.shows(look, version));
        if let Some(drawn) = known().await {
            return Some(drawn.png);
        }
        let _turn = self.turn.lock().await;
        // Whoever had the turn before may have drawn it.
        if let Some(drawn) = known().await {
            return Some(drawn.png);
        }
        let page = results();
        let task = tokio::task::spawn_blocking(move || draw(&page));
        let png = match task.await {
            Ok(Ok(png)) => png,
            Ok(Err(error)) => {
                tracing::error!(poll = %poll.slug, "the picture of a poll cannot be drawn: {error:#}");
                return None;
            }
            Err(_stopping) => return None,
        };
        let drawn = Drawn { look, version, at: Instant::now(), png: png.clone() };
        self.drawn.insert(poll.id, drawn).await;
        Some(png)
    }
}

fn draw(results: &ResultsPage) -> anyhow::Result<Bytes> {
    let tree = Tree::from_str(&Picture::new(results).render()?, &OPTIONS)?;
    let (width, height) = SIZE;
    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| anyhow::anyhow!("no memory"))?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    Ok(pixmap.encode_png()?.into())
}
