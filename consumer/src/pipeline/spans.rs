//! What traces and logs tell of ballots on their way: poll and entry, never voter or choice.
//!
//! A batch has a span of its own, linked to the ballots in it; a traced ballot has one within its
//! own trace. Absent on purpose: spans for ballots that nobody asked to trace.

use votestream_schema::codec;
use votestream_service::trace::{self, Span};

use crate::pipeline::batch::Vote;
use crate::streams::entry::Entry;

/// Traced ballots of a batch at most: links and spans must stay few.
const TRACED_MAX: usize = 128;

/// The spans of one batch, from its reading to its acknowledgement.
#[derive(Debug)]
pub struct Journeys {
    spans: Vec<Span>,
    arrived: bool,
}

impl Journeys {
    /// Begins spans for what is traced; `None` when nothing is.
    pub fn begin(entries: &[Entry]) -> Option<Self> {
        if !trace::is_on() {
            return None;
        }
        let traced = entries.iter().filter_map(|entry| {
            let context = str::from_utf8(entry.field(codec::FIELD_TRACE)?).ok()?;
            Some((entry, trace::sampled_context(context)?))
        });
        let traced: Vec<_> = traced.take(TRACED_MAX).collect();
        if traced.is_empty() {
            return None;
        }
        let members: Vec<_> = traced.iter().map(|(_, context)| context.clone()).collect();
        let mut batch = Span::of_batch("count batch", &members);
        batch.set("votestream.entries", &entries.len());
        let ballots = traced.into_iter().map(|(entry, context)| {
            let mut span = Span::of_delivery("count ballot", context, &batch);
            span.set("messaging.system", &"redis");
            span.set("votestream.entry", &entry.id);
            span.set("votestream.partition", &entry.partition);
            let ballot = entry.field(codec::FIELD_BALLOT).map(codec::decode);
            if let Some(Ok(ballot)) = ballot {
                span.set("votestream.poll", &ballot.poll);
            }
            span
        });
        let mut spans: Vec<Span> = ballots.collect();
        spans.push(batch);
        Some(Self { spans, arrived: false })
    }

    /// Ends them: all entries are committed and acknowledged.
    pub fn end(mut self) {
        self.arrived = true;
    }
}

impl Drop for Journeys {
    fn drop(&mut self) {
        if !self.arrived {
            self.spans.iter_mut().for_each(|span| span.fail("not finished; read again later"));
        }
    }
}

/// Logs what was counted, an entry a line, where anybody wants to know it so exactly.
pub fn log(votes: &[Vote]) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        for vote in votes {
            tracing::debug!(poll = %vote.ballot.poll, entry = %vote.entry, "ballot committed");
        }
    }
}
